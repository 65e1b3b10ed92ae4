from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.db import connection
from django.db.models import Q

from tests.acceptance.scenario import (
    a_trigger,
    counted,
    effects,
    explain,
    on_both_engines,
    outcomes,
    people,
    wait_for_runs,
)
from tests.probe.models import DecliningAction, GateAction, RecordEffectAction, SlowAction
from tests.servers.worker import StartWorker
from tests.waiting import wait_until
from triggers import fire
from triggers.models import ActionCountCondition, Run

pytestmark = on_both_engines


def fire_in_a_thread(user_pk: int) -> None:
    try:
        fire("probe.ProbeEvent", users=user_pk)
    finally:
        connection.close()


def test_of_twenty_events_at_once_a_limit_of_one_lets_one_through(start_worker: StartWorker) -> None:
    [person] = people(1)
    trigger = a_trigger(SlowAction(seconds=0.2), conditions=[ActionCountCondition(limit=1)])
    for _ in range(2):
        start_worker(concurrency=4)

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(fire_in_a_thread, [person.pk] * 20))

    wait_for_runs(20)
    assert outcomes() == {"succeeded": 1, "skipped limit_reached": 19}, explain()
    assert effects() == {"effect begun": 1, "effect": 1}
    assert counted(trigger) == {person.pk: 1}


def test_when_the_run_that_holds_the_place_declines_another_is_served(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    [person] = people(1)
    declining = DecliningAction(gated=True, folder=str(tmp_path))
    trigger = a_trigger(declining, conditions=[ActionCountCondition(limit=1)])
    for _ in range(20):
        fire("probe.ProbeEvent", users=person)

    for _ in range(2):
        start_worker(concurrency=4)
    found_it_taken = Run.objects.filter(Q(postponements__gt=0) | Q(status="skipped"))
    wait_until(lambda: found_it_taken.count() == 19, message=explain)
    (tmp_path / "gate").touch()

    wait_for_runs(20)
    assert outcomes() == {
        "skipped action_declined": 1,
        "succeeded": 1,
        "skipped limit_reached": 18,
    }, explain()
    assert effects() == {"effect": 1}
    assert counted(trigger) == {person.pk: 1}


def test_two_triggers_on_one_user_do_not_wait_for_each_other(start_worker: StartWorker, tmp_path: Path) -> None:
    [person] = people(1)
    gate = tmp_path / "gate"
    held_up = a_trigger(GateAction(path=str(gate)), name="held up", conditions=[ActionCountCondition(limit=1)])
    passing = a_trigger(RecordEffectAction(), name="passing", conditions=[ActionCountCondition(limit=5)])
    start_worker(concurrency=2)

    def wait_for_passing(number: int) -> None:
        succeeded = Run.objects.filter(trigger=passing, status="succeeded")
        wait_until(lambda: succeeded.count() == number, timeout=10, message=explain)

    fire("probe.ProbeEvent", users=person)
    wait_until(lambda: effects()["at the gate"] == 1, message=explain)
    for expected in (1, 2, 3):
        wait_for_passing(expected)
        fire("probe.ProbeEvent", users=person)
    wait_for_passing(4)
    assert outcomes(trigger=held_up)["succeeded"] == 0
    gate.touch()

    wait_for_runs(8)
    assert outcomes(trigger=held_up) == {"succeeded": 1, "skipped limit_reached": 3}
    assert outcomes(trigger=passing) == {"succeeded": 4}
    assert effects() == {"at the gate": 1, "past the gate": 1, "effect": 4}
    assert (counted(held_up), counted(passing)) == ({person.pk: 1}, {person.pk: 4})
