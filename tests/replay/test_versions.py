"""Workers of different code at a time: which of them goes on with a run that began before the other came."""

from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from tests.acceptance.scenario import a_trigger, effects, explain, outcomes, people, wait_for_runs
from tests.probe.builds import VARIABLE
from tests.probe.models import Effect, ProbeEvent, RecordEffectAction, WaitAction
from tests.servers.temporal import Temporal
from tests.servers.worker import StartTemporalWorker
from tests.waiting import wait_until
from triggers import engines, fire
from triggers.models import Run

DAY = 24 * 60 * 60
#: For workers of code that cannot go on with what today's code began, and of code that can: see test_replay.py.
CHANGED = {VARIABLE: "SLEEP"}
PATCHED = {VARIABLE: "PATCHED_SLEEP"}


@pytest.fixture
def deployment() -> str:
    return f"shop-{uuid4()}"


def version(deployment: str, build_id: str) -> list[str]:
    return ["--deployment-name", deployment, "--build-id", build_id]


def told(deployment: str, **options: Any) -> str:
    out = StringIO()
    call_command("temporal_version", deployment_name=deployment, stdout=out, **options)
    return out.getvalue()


def a_journey() -> None:
    a_trigger(RecordEffectAction(label="before"), WaitAction(seconds=DAY), RecordEffectAction(label="after"))


def on_the_way() -> Run:
    """A run that waits for a day."""
    (user,) = people(1, prefix=uuid4().hex)
    run = fire(ProbeEvent, users=user).runs.get()
    wait_until(lambda: Run.objects.filter(pk=run.pk, status="waiting").exists(), message=explain)
    return run


def wake(*runs: Run) -> None:
    ids = [run.pk for run in runs]
    Run.objects.filter(pk__in=ids).update(due_at=None)
    engines.get("temporal").wake(ids)


def performed_by(run: Run) -> dict[str, int]:
    return dict(Effect.objects.filter(user_pk=run.user_id).values_list("label", "pid"))


def test_a_run_is_finished_by_the_build_that_began_it_while_others_begin_with_the_next(
    start_temporal_worker: StartTemporalWorker, deployment: str
) -> None:
    a_journey()
    old = start_temporal_worker(*version(deployment, "1"))
    assert told(deployment, make_current="1") == "1  current\n"
    first = on_the_way()

    new = start_temporal_worker(*version(deployment, "2"), env=CHANGED)
    assert told(deployment, make_current="2") == "2  current\n1  draining\n"
    second = on_the_way()
    wake(first, second)
    wait_for_runs(2)

    assert outcomes() == {"succeeded": 2}, explain()
    assert performed_by(first) == {"before": old.pid, "after": old.pid}
    assert performed_by(second) == {"before": new.pid, "after": new.pid}
    assert effects() == {"before": 2, "after": 2}


def test_a_run_waits_while_no_worker_of_its_build_lives_unless_it_is_moved_to_another(
    start_temporal_worker: StartTemporalWorker, temporal: Temporal, deployment: str
) -> None:
    a_journey()
    old = start_temporal_worker(*version(deployment, "1"))
    told(deployment, make_current="1")
    stays, moved = on_the_way(), on_the_way()
    old.stop()
    new = start_temporal_worker(*version(deployment, "2"), env=PATCHED)
    told(deployment, make_current="2")
    override = ["--versioning-override-behavior", "auto_upgrade"]
    assert temporal.command("workflow", "update-options", "--workflow-id", f"{moved.pk}:1", *override).returncode == 0

    wake(stays, moved)
    wait_until(lambda: performed_by(moved).get("after") == new.pid, message=explain)
    assert outcomes(pk=stays.pk) == {"waiting": 1}

    old.start()
    wait_for_runs(2)
    assert outcomes() == {"succeeded": 2}, explain()
    assert performed_by(stays)["after"] == old.pid


def test_a_run_that_began_without_a_version_goes_on_with_the_current_one(
    start_temporal_worker: StartTemporalWorker, deployment: str
) -> None:
    a_journey()
    before = start_temporal_worker()
    run = on_the_way()
    worker = start_temporal_worker(*version(deployment, "1"))
    told(deployment, make_current="1")
    wake(run)
    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}, explain()
    assert performed_by(run) == {"before": before.pid, "after": worker.pid}


def test_readiness_says_that_no_worker_is_given_what_begins(
    start_temporal_worker: StartTemporalWorker, temporal: Temporal, deployment: str
) -> None:
    engine = engines.get("temporal")
    first = start_temporal_worker(*version(deployment, "1"))
    waits_for_a_version = (
        "No version of the workers in Temporal is the current one: make one so, by manage.py temporal_version."
    )
    wait_until(lambda: engine.outage() == waits_for_a_version, message=engine.outage)
    told(deployment, make_current="1")
    wait_until(lambda: engine.outage() is None, message=engine.outage)

    first.stop()
    temporal.stop()  # it remembers for some minutes who has asked for work
    temporal.start()
    start_temporal_worker(*version(deployment, "2"))
    waits_for_a_worker = f"No worker in Temporal is of the current version, “1” of “{deployment}”."
    wait_until(lambda: engine.outage() == waits_for_a_worker, message=engine.outage)


def refused(deployment: str, **options: Any) -> str:
    with pytest.raises(CommandError) as refusal:
        told(deployment, **options)
    return str(refusal.value)


def test_a_version_without_a_worker_is_not_made_current(temporal: Temporal) -> None:
    assert refused("shop") == "Temporal knows no deployment “shop”: no worker of it has been there."
    assert refused("shop", make_current="1", timeout=0) == (
        "Temporal does not make build “1” of “shop” current: no Worker Deployment found with name 'shop'; does your "
        "Worker Deployment have pollers. Is a worker of it running (manage.py temporal_worker --deployment-name shop "
        "--build-id 1)?"
    )


def test_a_namespace_that_is_not_there_and_a_server_that_is_not_there_are_named(
    temporal: Temporal, settings: Settings
) -> None:
    settings.TEMPORAL_NAMESPACE = "nowhere"
    assert refused("shop", make_current="1") == (
        f"The Temporal server at {temporal.host} has no namespace “nowhere”. Make it "
        "(temporal operator namespace create --namespace nowhere), or name another in TEMPORAL_NAMESPACE."
    )
    temporal.stop()
    assert refused("shop").startswith(
        f"No Temporal server answers at {temporal.host}. Is it running, and is TEMPORAL_HOST right? The client says: "
    )
