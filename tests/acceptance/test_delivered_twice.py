from typing import cast

import pytest
import redis

from tests.acceptance.scenario import a_trigger, effects, outcomes, people, repeated_effects, wait_for_runs
from tests.probe.models import SlowAction
from tests.servers.brokers import Broker
from tests.servers.worker import StartWorker
from tests.waiting import wait_until
from triggers import fire
from triggers.models import Run


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_a_message_that_is_delivered_three_times_performs_its_runs_once(
    broker: Broker, start_worker: StartWorker
) -> None:
    users = people(20)
    a_trigger(SlowAction(seconds=0.05))
    queue = redis.Redis.from_url(broker.url)
    for user in users:
        fire("probe.ProbeEvent", users=user)
    messages = cast(list[bytes], queue.lrange("celery", 0, -1))
    assert len(messages) == 20
    for message in messages * 2:
        queue.lpush("celery", message)

    start_worker(concurrency=4)

    wait_for_runs(20)
    wait_until(lambda: queue.llen("celery") == 0, message="the last copies to be taken")
    assert outcomes() == {"succeeded": 20}
    assert effects() == {"effect begun": 20, "effect": 20}
    assert repeated_effects() == []
    # The copies found nothing to claim.
    assert set(Run.objects.values_list("losses", flat=True)) == {0}
