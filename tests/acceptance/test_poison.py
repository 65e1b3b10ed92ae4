from pathlib import Path

import pytest
from pytest_django import Settings

from tests.acceptance.scenario import (
    TEMPORAL_ON_POSTGRESQL,
    a_trigger,
    effects,
    explain,
    outcomes,
    people,
    wait_for_runs,
)
from tests.probe.models import HangingAction, KillWorkerAction
from tests.servers.worker import StartWorker
from triggers import fire
from triggers.models import Run


@pytest.mark.parametrize("engine", ["celery", "celery-threads", TEMPORAL_ON_POSTGRESQL], indirect=True)
def test_a_run_that_kills_its_worker_every_time_fails_and_its_neighbours_succeed(
    start_worker: StartWorker, settings: Settings, tmp_path: Path
) -> None:
    settings.TRIGGERS_MAX_LOSSES = 3
    users = people(20)
    victim = users[7]
    a_trigger(KillWorkerAction(victim=victim.username, folder=str(tmp_path)))
    worker = start_worker()

    fire("probe.ProbeEvent", users=users)

    wait_for_runs(20, meanwhile=worker.supervise)
    assert outcomes(user=victim) == {"failed worker_lost": 1}, explain()
    assert outcomes() == {"failed worker_lost": 1, "succeeded": 19}, explain()
    assert effects() == {"effect": 19}
    assert Run.objects.get(user=victim).losses == 3


def test_an_action_that_never_ends_fails_and_its_neighbours_succeed(start_worker: StartWorker) -> None:
    users = people(20)
    victim = users[7]
    a_trigger(HangingAction(victim=victim.username))
    start_worker()

    fire("probe.ProbeEvent", users=users)

    wait_for_runs(20)
    assert outcomes(user=victim) == {"failed action_failed": 1}, explain()
    assert outcomes() == {"failed action_failed": 1, "succeeded": 19}, explain()
    assert effects() == {"hanging": 19}


@pytest.mark.parametrize("engine", ["temporal"], indirect=True)
@pytest.mark.postgresql  # an open transaction in SQLite would keep the neighbours from writing at all
def test_an_action_that_never_ends_in_a_thread_fails_when_it_has_taken_several(
    start_worker: StartWorker, settings: Settings
) -> None:
    settings.TRIGGERS_MAX_LOSSES = 2
    users = people(20)
    victim = users[7]
    a_trigger(HangingAction(victim=victim.username))
    start_worker(concurrency=4)

    fire("probe.ProbeEvent", users=users)

    wait_for_runs(20)
    assert outcomes(user=victim) == {"failed worker_lost": 1}, explain()
    assert outcomes() == {"failed worker_lost": 1, "succeeded": 19}, explain()
    assert effects() == {"hanging": 19}
