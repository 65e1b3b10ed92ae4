"""
The Temporal engine with a real server and workers: what becomes of runs, whatever happens to either. What is asked of
every engine is in the modules beside this one.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from tests.acceptance.scenario import (
    a_trigger,
    counted,
    effects,
    explain,
    outcomes,
    people,
    repeated_effects,
    wait_for_runs,
)
from tests.probe.models import (
    Effect,
    GateAction,
    ProbeEvent,
    RaisingAction,
    RecordEffectAction,
    SlowAction,
    WaitAction,
)
from tests.servers.temporal import Temporal
from tests.servers.worker import StartTemporalWorker
from tests.waiting import wait_until
from triggers import engines, fire, firing, running
from triggers.models import ActionCountCondition, Run, Trigger

DAY = 24 * 60 * 60


def workflow_id(run: Run) -> str:
    return f"{run.pk}:{run.generation}"


def status_of(temporal: Temporal, run: Run) -> str:
    """What an operator is told of the run's workflow."""
    return str(temporal.describe(workflow_id(run)).get("status", "unknown"))


def wait_for_status(run: Run, *statuses: str) -> Run:
    def has_status() -> bool:
        run.refresh_from_db()
        return run.status in statuses

    wait_until(has_status, timeout=60, message=explain)
    return run


def test_a_run_is_performed_and_its_workflow_completes(
    start_temporal_worker: StartTemporalWorker, temporal: Temporal
) -> None:
    a_trigger(RecordEffectAction(), name="Well done")
    start_temporal_worker()
    run = fire(ProbeEvent, users=people(1)).runs.get()
    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}, explain()
    assert effects() == {"effect": 1}
    wait_until(lambda: status_of(temporal, run) == "COMPLETED")
    assert temporal.describe(workflow_id(run))["memo"] == {
        "trigger": "Well done",
        "user": str(run.user_id),
        "occurrence": str(run.occurrence_id),
    }


def test_a_run_waits_and_goes_on(start_temporal_worker: StartTemporalWorker) -> None:
    a_trigger(RecordEffectAction(label="before"), WaitAction(seconds=2), RecordEffectAction(label="after"))
    start_temporal_worker()
    fire(ProbeEvent, users=people(1))
    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}, explain()
    before, after = Effect.objects.order_by("pk")
    assert (before.label, after.label) == ("before", "after")
    assert after.created_at - before.created_at >= timedelta(seconds=2)


def test_runs_that_wait_after_a_chunk_have_workflows_of_their_own(
    start_temporal_worker: StartTemporalWorker, temporal: Temporal
) -> None:
    a_trigger(WaitAction(seconds=DAY), RecordEffectAction())
    start_temporal_worker()
    runs = list(fire(ProbeEvent, users=people(20)).runs.all())
    wait_until(lambda: all(status_of(temporal, run) == "RUNNING" for run in runs), message=explain)
    assert outcomes() == {"waiting": 20}


def test_a_run_that_is_woken_goes_on_at_once(start_temporal_worker: StartTemporalWorker, temporal: Temporal) -> None:
    a_trigger(WaitAction(seconds=DAY), RecordEffectAction())
    start_temporal_worker()
    run = fire(ProbeEvent, users=people(1)).runs.get()
    wait_for_status(run, "waiting")
    wait_until(lambda: temporal.describe(workflow_id(run))["pendingActivities"] == [])
    Run.objects.update(due_at=None)
    engines.get("temporal").wake([run.pk])
    wait_for_runs(1, timeout=10)
    assert effects() == {"effect": 1}


def test_a_run_that_is_cancelled_while_it_waits_ends_with_its_workflow(
    start_temporal_worker: StartTemporalWorker, temporal: Temporal
) -> None:
    a_trigger(WaitAction(seconds=DAY), RecordEffectAction())
    start_temporal_worker()
    run = fire(ProbeEvent, users=people(1)).runs.get()
    wait_for_status(run, "waiting")
    assert running.cancel([run.pk]) == 1
    assert outcomes() == {"cancelled cancelled": 1}
    wait_until(lambda: status_of(temporal, run) == "COMPLETED")
    assert effects() == {}


def test_a_run_that_is_cancelled_under_way_ends_after_its_step(
    start_temporal_worker: StartTemporalWorker, tmp_path: Path
) -> None:
    a_trigger(GateAction(path=str(tmp_path / "gate")), RecordEffectAction())
    start_temporal_worker()
    run = fire(ProbeEvent, users=people(1)).runs.get()
    wait_until(lambda: effects() == {"at the gate": 1})
    running.cancel([run.pk])
    (tmp_path / "gate").touch()
    wait_for_runs(1)
    assert outcomes() == {"cancelled cancelled": 1}, explain()
    assert effects() == {"at the gate": 1, "past the gate": 1}


@pytest.fixture
def limited_trigger(settings: Settings, transactional_db: None) -> Trigger:
    settings.TRIGGERS_MAX_LOSSES = 1000  # here workers die by no fault of the runs
    settings.TRIGGERS_CHUNK_SIZE = 20
    return a_trigger(SlowAction(seconds=0.01), conditions=[ActionCountCondition(limit=1)])


def assert_each_served_once(trigger: Trigger, number: int) -> None:
    assert outcomes() == {"succeeded": number}, explain()
    assert effects() == {"effect begun": number, "effect": number}
    assert repeated_effects() == []
    assert counted(trigger) == dict.fromkeys(Run.objects.values_list("user_id", flat=True), 1)


def wait_for_runs_left(number: int) -> None:
    wait_until(lambda: Run.objects.open().count() <= number, timeout=60, message=explain)


def test_an_audience_is_served_once_though_the_worker_is_killed(
    limited_trigger: Trigger, start_temporal_worker: StartTemporalWorker
) -> None:
    people(300)
    worker = start_temporal_worker()
    fire(ProbeEvent, audience="all")
    wait_until(lambda: Run.objects.exists())
    for left in (250, 120):
        wait_for_runs_left(left)
        worker.kill()
        worker.start()
    wait_for_runs(300, timeout=120)
    assert_each_served_once(limited_trigger, 300)


def test_two_workers_share_the_work(limited_trigger: Trigger, start_temporal_worker: StartTemporalWorker) -> None:
    workers = [start_temporal_worker("--concurrency", "2") for _ in range(2)]
    users = people(200)
    for user in users[:100]:
        fire(ProbeEvent, users=user)
    fire(ProbeEvent, users=users[100:])
    wait_for_runs(200, timeout=120)
    assert_each_served_once(limited_trigger, 200)
    assert set(Effect.objects.values_list("pid", flat=True)) == {worker.pid for worker in workers}


def test_the_server_stops_and_starts_in_the_middle(
    limited_trigger: Trigger, start_temporal_worker: StartTemporalWorker, temporal: Temporal
) -> None:
    start_temporal_worker("--concurrency", "4")
    users = people(200)
    for user in users[:50]:
        fire(ProbeEvent, users=user)
    fire(ProbeEvent, users=users[50:])
    for left in (180, 60):
        wait_for_runs_left(left)
        temporal.stop()
        temporal.start()
    wait_for_runs(200, timeout=120)
    assert_each_served_once(limited_trigger, 200)


@pytest.mark.parametrize(("command", "word"), [("terminate", "terminated"), ("cancel", "cancelled")])
def test_a_run_whose_workflow_is_ended_by_hand_fails_and_can_be_tried_again(
    command: str, word: str, start_temporal_worker: StartTemporalWorker, temporal: Temporal
) -> None:
    a_trigger(RecordEffectAction(label="before"), WaitAction(seconds=DAY), RecordEffectAction(label="after"))
    start_temporal_worker()
    run = fire(ProbeEvent, users=people(1)).runs.get()
    wait_for_status(run, "waiting")
    assert temporal.command("workflow", command, "--workflow-id", workflow_id(run)).returncode == 0

    wait_for_status(run, "failed")
    assert (run.code, run.detail) == (
        "workflow_closed",
        f"The workflow {run.pk}:1 was ended in Temporal before the run: {word}.",
    )

    assert firing.retry([run.pk]) == 1
    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}, explain()
    assert effects() == {"before": 1, "after": 1}
    assert Run.objects.get().generation == 2


def test_a_run_that_failed_can_be_tried_again(start_temporal_worker: StartTemporalWorker) -> None:
    a_trigger(RaisingAction(victim="person0"))
    start_temporal_worker()
    run = fire(ProbeEvent, users=people(1)).runs.get()
    wait_for_status(run, "failed")
    RaisingAction.objects.update(victim="nobody")
    firing.retry([run.pk])
    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}, explain()
    assert effects() == {"raising": 1}


def test_the_workflow_of_a_run_that_is_deleted_ends(
    start_temporal_worker: StartTemporalWorker, temporal: Temporal
) -> None:
    a_trigger(WaitAction(seconds=3), RecordEffectAction())
    start_temporal_worker()
    run = fire(ProbeEvent, users=people(1)).runs.get()
    wait_for_status(run, "waiting")
    Run.objects.filter(pk=run.pk).delete()
    wait_until(lambda: status_of(temporal, run) == "COMPLETED")
    assert effects() == {}


def test_a_worker_that_is_told_to_stop_finishes_its_step_and_another_goes_on(
    start_temporal_worker: StartTemporalWorker, tmp_path: Path
) -> None:
    a_trigger(GateAction(path=str(tmp_path / "gate")))
    worker = start_temporal_worker("--concurrency", "1")
    fire(ProbeEvent, users=people(10))
    wait_until(lambda: effects() == {"at the gate": 1})
    worker.terminate()
    wait_until(lambda: "Stopping" in worker.output())
    (tmp_path / "gate").touch()
    wait_until(lambda: worker.exit_code is not None)
    assert worker.exit_code == 0, worker.output()
    assert outcomes() == {"succeeded": 1, "waiting": 9}, explain()
    start_temporal_worker()
    wait_for_runs(10)
    assert outcomes() == {"succeeded": 10}, explain()
    assert repeated_effects() == []


def test_a_worker_at_a_long_action_gives_signs_of_life(
    start_temporal_worker: StartTemporalWorker, temporal: Temporal, tmp_path: Path
) -> None:
    a_trigger(GateAction(path=str(tmp_path / "gate")))
    start_temporal_worker()
    run = fire(ProbeEvent, users=people(1)).runs.get()

    def last_sign() -> str:
        pending = temporal.describe(workflow_id(run)).get("pendingActivities", [])
        return str(pending[0].get("lastHeartbeatTime", "")) if pending else ""

    first = wait_until(last_sign)
    wait_until(lambda: last_sign() > first)
    (tmp_path / "gate").touch()
    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}, explain()


def test_a_run_whose_workflow_was_forgotten_gets_another(
    start_temporal_worker: StartTemporalWorker, temporal: Temporal
) -> None:
    a_trigger(WaitAction(seconds=3), RecordEffectAction())
    start_temporal_worker()
    run = fire(ProbeEvent, users=people(1)).runs.get()
    wait_for_status(run, "waiting")
    assert temporal.command("workflow", "delete", "--yes", "--workflow-id", workflow_id(run)).returncode == 0
    wait_until(lambda: temporal.describe(workflow_id(run)) == {})
    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}, explain()
    assert effects() == {"effect": 1}


def test_a_run_that_the_database_knows_as_open_again_gets_another_workflow(
    start_temporal_worker: StartTemporalWorker, temporal: Temporal
) -> None:
    a_trigger(RecordEffectAction())
    start_temporal_worker()
    with transaction.atomic():
        run = fire(ProbeEvent, users=people(1)).runs.get()  # as it is before a worker sees it
    wait_for_runs(1)
    wait_until(lambda: status_of(temporal, run) == "COMPLETED")
    # As a backup of the database has it.
    run.steps.all().delete()
    run.save()
    Run.objects.update(next_handover_at=timezone.now())
    wait_until(lambda: Run.objects.get().generation == 2, message=explain)
    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}, explain()


def test_a_context_larger_than_what_temporal_takes(start_temporal_worker: StartTemporalWorker) -> None:
    a_trigger(RecordEffectAction())
    start_temporal_worker()
    fire(ProbeEvent, users=people(1), context={"text": "x" * 5_000_000})
    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}, explain()


def test_a_trigger_that_names_temporal_where_celery_is_the_default(
    start_temporal_worker: StartTemporalWorker, settings: Settings
) -> None:
    a_trigger(RecordEffectAction(label="by temporal"), name="by temporal")
    Trigger.objects.update(engine="temporal")
    a_trigger(RecordEffectAction(label="by celery"), name="by celery")
    settings.TRIGGERS_USE_TEMPORAL = False
    start_temporal_worker()
    fire(ProbeEvent, users=people(1))
    wait_until(lambda: effects() == {"by temporal": 1})
    assert set(Run.objects.values_list("engine", "status")) == {("temporal", "succeeded"), ("celery", "pending")}
