"""Workers die at every moment of a run's life: nothing is lost, nothing in the database happens twice."""

from pathlib import Path
from random import Random

import pytest
from pytest_django import Settings

from tests.acceptance.scenario import (
    a_trigger,
    counted,
    effects,
    explain,
    on_both_engines_on_postgresql,
    outcomes,
    people,
    repeated_effects,
    wait_for_runs,
)
from tests.probe.models import SlowAction
from tests.probe.seams import Seams
from tests.servers.worker import StartWorker
from tests.waiting import wait_until
from triggers import fire
from triggers.models import ActionCountCondition, Run, Trigger

PEOPLE = 100
EVENTS = 3  # for each of them; the limit lets two through


@pytest.fixture
def trigger(settings: Settings, transactional_db: None) -> Trigger:
    settings.TRIGGERS_MAX_LOSSES = 1000  # here workers die by no fault of the runs
    settings.TRIGGERS_CHUNK_SIZE = 10
    return a_trigger(SlowAction(seconds=0.01), conditions=[ActionCountCondition(limit=EVENTS - 1)])


def fire_for_all() -> None:
    users = people(PEOPLE)
    for _ in range(EVENTS):
        fire("probe.ProbeEvent", users=users)


def assert_all_is_well(trigger: Trigger) -> None:
    served = PEOPLE * (EVENTS - 1)
    assert outcomes() == {"succeeded": served, "skipped limit_reached": PEOPLE}, explain()
    assert effects() == {"effect begun": served, "effect": served}
    assert repeated_effects() == []
    # No reservation was lost or kept wrongly.
    assert set(counted(trigger).values()) == {EVENTS - 1}
    assert len(counted(trigger)) == PEOPLE


@pytest.mark.timeout(600)
@on_both_engines_on_postgresql
def test_processes_that_die_within_each_stage_of_a_run(
    trigger: Trigger, start_worker: StartWorker, tmp_path: Path, random: Random
) -> None:
    folder = tmp_path / "deaths"
    folder.mkdir()
    seams = Seams(folder=str(folder), seed=str(random.random()), deaths=8, probability=0.3)
    fire_for_all()

    for _ in range(2):
        start_worker(concurrency=2, env=seams.environment(), undying=True)

    wait_for_runs(PEOPLE * EVENTS, timeout=300)
    deaths = seams.counted()
    assert min(deaths.values()) >= 5, deaths
    assert sum(deaths.values()) >= 30, deaths
    assert_all_is_well(trigger)


def wait_for_runs_left(number: int) -> None:
    wait_until(lambda: Run.objects.open().count() <= number, message=explain)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["celery", "celery-threads", "temporal"], indirect=True)
def test_workers_that_are_killed_at_random_moments(trigger: Trigger, start_worker: StartWorker, random: Random) -> None:
    fire_for_all()
    worker = start_worker()

    # The moments are counted in runs, so that they are such of work whatever the machine's speed.
    for left in sorted(random.sample(range(20, PEOPLE * EVENTS), k=5), reverse=True):
        wait_for_runs_left(left)
        worker.kill()
        worker.start()

    wait_for_runs(PEOPLE * EVENTS, timeout=300)
    assert_all_is_well(trigger)
