"""Triggers that start each other by FireEvent, with a real worker, also one that dies on the way."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.db.models import Count

from tests.acceptance.scenario import (
    a_trigger,
    effects,
    explain,
    on_both_engines_on_postgresql,
    outcomes,
    people,
    repeated_effects,
    wait_for_runs,
)
from tests.app.models import ClockEvent
from tests.probe.models import SlowAction
from tests.probe.seams import Seams
from tests.servers.worker import StartWorker
from triggers import fire
from triggers.contrib.actions.models import FireEvent
from triggers.models import Occurrence, Run

CLOCK, PROBE = "app.ClockEvent", "probe.ProbeEvent"
PEOPLE = 30


def fired_twice() -> list[Any]:
    """The runs that caused more than one event."""
    caused = Occurrence.objects.exclude(cause_id=None).values("cause_id").annotate(times=Count("pk"))
    return list(caused.filter(times__gt=1))


@on_both_engines_on_postgresql
def test_one_trigger_starts_another(transactional_db: None, start_worker: StartWorker) -> None:
    a_trigger(FireEvent(event_type=CLOCK, context={"who": "{{ user.id }}", "n": "{{ context.n }}"}), name="first")
    second = a_trigger(SlowAction(seconds=0), name="second", event=ClockEvent())
    users = people(PEOPLE)
    start_worker(concurrency=2)
    fire(PROBE, users=users, context={"n": 7})
    wait_for_runs(2 * PEOPLE)
    assert outcomes() == {"succeeded": 2 * PEOPLE}, explain()
    told = Occurrence.objects.filter(type=CLOCK).values_list("context", flat=True)
    assert sorted(told, key=lambda context: context["who"]) == [{"who": user.pk, "n": 7} for user in users]
    assert set(Run.objects.filter(trigger=second).values_list("user_id", flat=True)) == {user.pk for user in users}


@on_both_engines_on_postgresql
def test_triggers_that_start_each_other_end(transactional_db: None, start_worker: StartWorker, settings: Any) -> None:
    settings.TRIGGERS_MAX_DEPTH = 5
    a_trigger(FireEvent(event_type=CLOCK), name="there")
    a_trigger(FireEvent(event_type=PROBE), name="back", event=ClockEvent())
    start_worker()
    fire(PROBE, users=people(3))
    wait_for_runs(18)
    assert outcomes() == {"succeeded": 15, "failed action_failed": 3}, explain()


@pytest.mark.timeout(300)
@on_both_engines_on_postgresql
def test_processes_that_die_fire_each_event_once(
    transactional_db: None, start_worker: StartWorker, settings: Any, tmp_path: Path, random: Random
) -> None:
    settings.TRIGGERS_MAX_LOSSES = 1000  # here workers die by no fault of the runs
    settings.TRIGGERS_CHUNK_SIZE = 10
    a_trigger(FireEvent(event_type=CLOCK), SlowAction(seconds=0.01, label="first"), name="first")
    a_trigger(SlowAction(seconds=0.01, label="second"), name="second", event=ClockEvent())
    folder = tmp_path / "deaths"
    folder.mkdir()
    seams = Seams(folder=str(folder), seed=str(random.random()), deaths=5, probability=0.3)
    fire(PROBE, users=people(PEOPLE))
    for _ in range(2):
        start_worker(concurrency=2, env=seams.environment(), undying=True)
    wait_for_runs(2 * PEOPLE, timeout=200)
    assert seams.counted()["settle"] >= 3, seams.counted()
    assert outcomes() == {"succeeded": 2 * PEOPLE}, explain()
    done = {"first begun": PEOPLE, "first": PEOPLE, "second begun": PEOPLE, "second": PEOPLE}
    assert effects() == done
    assert (repeated_effects(), fired_twice()) == ([], [])
