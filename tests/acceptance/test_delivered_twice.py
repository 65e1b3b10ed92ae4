from typing import cast
from uuid import uuid4

import pytest
import redis
from pytest_django import Settings
from temporalio.client import Client

from tests.acceptance.scenario import a_trigger, effects, outcomes, people, repeated_effects, wait_for_runs
from tests.probe.models import SlowAction
from tests.servers.brokers import Broker
from tests.servers.worker import StartWorker
from tests.waiting import wait_until
from triggers import fire
from triggers.engines.temporal.client import connection
from triggers.engines.temporal.workflows import RUN, RunInput
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


@pytest.mark.parametrize("engine", ["temporal"], indirect=True)
@pytest.mark.postgresql
def test_a_run_that_three_workflows_see_to_is_performed_once(start_worker: StartWorker, settings: Settings) -> None:
    users = people(20)
    a_trigger(SlowAction(seconds=0.05))
    for user in users:
        fire("probe.ProbeEvent", users=user)
    run_ids = [str(run_id) for run_id in Run.objects.values_list("pk", flat=True)]

    async def start_all_again(client: Client) -> list[str]:
        queue, ids = settings.TEMPORAL_TASK_QUEUE, run_ids * 2
        handles = [await client.start_workflow(RUN, RunInput(id), id=f"{id}:{uuid4()}", task_queue=queue) for id in ids]
        return [handle.id for handle in handles]

    copies = connection().call(start_all_again, 10)
    assert len(copies) == 40
    start_worker(concurrency=4)

    wait_for_runs(20)

    async def wait_for_copies(client: Client) -> None:
        for copy in copies:
            await client.get_workflow_handle(copy).result()

    connection().call(wait_for_copies, 30)
    assert outcomes() == {"succeeded": 20}
    assert effects() == {"effect begun": 20, "effect": 20}
    assert repeated_effects() == []
    # The copies found nothing to claim.
    assert set(Run.objects.values_list("losses", flat=True)) == {0}
