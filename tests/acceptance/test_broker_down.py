import time

import pytest

from tests.acceptance.scenario import (
    a_trigger,
    effects,
    on_both_engines,
    outcomes,
    people,
    repeated_effects,
    wait_for_runs,
)
from tests.probe.models import RecordEffectAction
from tests.servers.engines import EngineAtWork
from tests.servers.worker import StartWorker
from tests.waiting import SLACK
from triggers import fire
from triggers.engines.celery import PUBLISH_SECONDS
from triggers.models import Run

pytestmark = [
    pytest.mark.parametrize("broker", ["redis"], indirect=True),
    on_both_engines,
]


def test_what_is_fired_while_the_broker_is_down_is_performed_once_when_it_is_back(
    engine: EngineAtWork, start_worker: StartWorker
) -> None:
    users = people(200)
    a_trigger(RecordEffectAction())
    worker = start_worker()

    engine.server.stop()
    for user in users:
        fire("probe.ProbeEvent", users=user)
    assert Run.objects.count() == 200
    assert effects() == {}

    engine.server.start()
    # Celery ends a worker that loses Redis while it holds an unacknowledged message (kombu 5.7).
    wait_for_runs(200, timeout=120, meanwhile=worker.supervise)
    assert outcomes() == {"succeeded": 200}
    assert effects() == {"effect": 200}
    assert repeated_effects() == []


@pytest.mark.parametrize("silence", ["stop", "pause"], ids=["refuses", "does not answer"])
def test_firing_does_not_wait_for_long_when_the_broker_is_down(
    silence: str, engine: EngineAtWork, transactional_db: None
) -> None:
    person, other = people(2)
    a_trigger(RecordEffectAction())
    fire("probe.ProbeEvent", users=person)  # a connection is open
    getattr(engine.server, silence)()

    began = time.monotonic()
    fire("probe.ProbeEvent", users=other)
    assert time.monotonic() - began < PUBLISH_SECONDS + SLACK
    assert Run.objects.open().count() == 2
