"""Weeks and long histories on Temporal, without their taking long: its clock is moved, its limits are lowered."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.utils import timezone
from pytest_django import Settings
from temporalio.api.common.v1 import Payload, Payloads, TimeSkippingConfig, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.client import Client

from tests.acceptance.scenario import a_trigger, effects, explain, outcomes, people, wait_for_runs
from tests.conftest import point_this_process_at_temporal
from tests.probe.models import FlakyAction, ProbeEvent, RecordEffectAction, WaitAction
from tests.servers.temporal import NAMESPACE, Temporal
from tests.servers.worker import StartTemporalWorker
from tests.waiting import wait_until
from triggers import fire
from triggers.engines.temporal.client import connection
from triggers.engines.temporal.workflows import RUN, RunInput, workflow_id
from triggers.models import Run
from triggers.testing import without_broker

TWO_WEEKS = timedelta(days=14)


def start_with_a_clock_that_skips(run: Run, task_queue: str) -> None:
    """Start the run's workflow as the engine does, in a time that leaps to whatever comes next."""
    given = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(asdict(RunInput(str(run.pk)))).encode())
    request = StartWorkflowExecutionRequest(
        namespace=NAMESPACE,
        workflow_id=workflow_id(run.pk, run.generation),
        workflow_type=WorkflowType(name=RUN),
        task_queue=TaskQueue(name=task_queue),
        input=Payloads(payloads=[given]),
        request_id=str(uuid4()),
        time_skipping_config=TimeSkippingConfig(enabled=True),
    )

    async def ask(client: Client) -> None:
        await client.workflow_service.start_workflow_execution(request)

    connection().call(ask, 10)


def test_a_wait_of_two_weeks(
    start_temporal_worker: StartTemporalWorker, temporal: Temporal, settings: Settings
) -> None:
    a_trigger(
        RecordEffectAction(label="before"),
        WaitAction(seconds=TWO_WEEKS.total_seconds()),
        RecordEffectAction(label="after"),
    )
    start_temporal_worker()
    with without_broker():
        run = fire(ProbeEvent, users=people(1)).runs.get()
    start_with_a_clock_that_skips(run, settings.TEMPORAL_TASK_QUEUE)
    wait_for_runs(1, timeout=30)
    assert outcomes() == {"succeeded": 1}, explain()
    assert effects() == {"before": 1, "after": 1}
    id = workflow_id(run.pk, run.generation)
    wait_until(lambda: temporal.describe(id)["status"] == "COMPLETED")
    timers = [event for event in temporal.history(id) if event["eventType"] == "EVENT_TYPE_TIMER_FIRED"]
    assert [event["eventTime"][:10] for event in timers] == [str((timezone.now() + TWO_WEEKS).date())]


@pytest.fixture
def forgetful(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Temporal]:
    """A server that suggests to continue as new after few events."""
    server = Temporal(tmp_path, dynamic_config={"limit.historyCount.suggestContinueAsNew": "12"})
    server.start()
    yield server
    server.stop()


def test_a_long_history_is_cut_and_the_run_goes_on(
    forgetful: Temporal, start_temporal_worker: StartTemporalWorker, settings: Settings, tmp_path: Path
) -> None:
    point_this_process_at_temporal(forgetful, settings)
    a_trigger(FlakyAction(folder=str(tmp_path), fail_times=4), WaitAction(seconds=1), RecordEffectAction(label="last"))
    start_temporal_worker()
    run = fire(ProbeEvent, users=people(1)).runs.get()
    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}, explain()
    assert effects() == {"effect": 1, "last": 1}
    id = workflow_id(run.pk, run.generation)
    wait_until(lambda: forgetful.describe(id)["status"] == "COMPLETED")
    assert forgetful.history(id)[0]["workflowExecutionStartedEventAttributes"]["continuedExecutionRunId"]


def test_a_run_is_found_by_its_trigger_and_user(tmp_path: Path, settings: Settings, transactional_db: None) -> None:
    server = Temporal(tmp_path)
    server.start()
    try:
        point_this_process_at_temporal(server, settings)
        settings.TEMPORAL_SEARCH_ATTRIBUTES = True
        attributes = ("--name", "TriggersTrigger", "--type", "Keyword", "--name", "TriggersUser", "--type", "Keyword")
        assert server.command("operator", "search-attribute", "create", *attributes).returncode == 0
        a_trigger(RecordEffectAction(), name="Well done")
        ada, bob = people(2)
        run = fire(ProbeEvent, users=ada).runs.get()
        fire(ProbeEvent, users=bob)
        query = f"TriggersTrigger = 'Well done' AND TriggersUser = '{ada.pk}'"
        found = wait_until(lambda: server.find(query))
        assert found == [workflow_id(run.pk, run.generation)]
    finally:
        server.stop()
