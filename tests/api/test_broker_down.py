"""With a broker that is away, events are accepted as ever, and those who watch are told."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger, people
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, problem
from tests.probe.models import RecordEffectAction
from tests.servers.brokers import Broker
from tests.servers.redis import Redis
from triggers.models import Run

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("broker", ["redis"], indirect=True),
    pytest.mark.parametrize("silence", [Redis.stop, Redis.pause], ids=["refuses", "does not answer"]),
]


def events(users: list[Any]) -> dict[str, dict[str, Any]]:
    """By path, what to post there."""
    fired = [{"type": "probe.ProbeEvent", "user": user.pk} for user in users]
    event = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "probe.ProbeEvent"}
    return {
        "fire/": fired[0],
        "fire/batch/": {"items": fired[1:]},
        "cloudevents/": event | {"subject": str(users[0].pk)},
    }


def test_events_are_accepted(
    broker: Broker, redis_server: Redis, client_with: StartClient, silence: Callable[[Redis], None]
) -> None:
    users = people(3)
    a_trigger(RecordEffectAction())
    client: APIClient = client_with("fire_event")
    silence(redis_server)

    for path, body in events(users).items():
        content_type = "application/cloudevents+json" if path == "cloudevents/" else "application/json"
        response = client.generic("POST", f"/api/v1/{path}", json.dumps(body), content_type)
        assert response.status_code == 202, response.content
    assert Run.objects.open().count() == 4


def test_it_is_not_ready_until_the_broker_is_back(
    broker: Broker, redis_server: Redis, silence: Callable[[Redis], None]
) -> None:
    client = APIClient()
    silence(redis_server)

    response = client.get("/api/v1/health/ready/")

    reason = "no answer" if silence is Redis.pause else "ConnectionError"
    assert_problem(response, problem(503, "broker_unavailable", f"The broker cannot be reached ({reason})."))
    assert client.get("/api/v1/health/live/").status_code == 200
    redis_server.stop()
    redis_server.start()
    assert client.get("/api/v1/health/ready/").json() == {"status": "ok", "oldest_overdue_seconds": 0}
