from pathlib import Path

import pytest
from pytest_django import Settings

from tests.acceptance.scenario import a_trigger, effects, explain, outcomes, people, wait_for_runs
from tests.probe.models import HangingAction, KillWorkerAction
from tests.servers.worker import StartWorker
from triggers import fire
from triggers.models import Run


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_run_that_kills_its_worker_every_time_fails_and_its_neighbours_succeed(
    pool: str, start_worker: StartWorker, settings: Settings, tmp_path: Path
) -> None:
    settings.TRIGGERS_MAX_LOSSES = 3
    users = people(20)
    victim = users[7]
    a_trigger(KillWorkerAction(victim=victim.username, folder=str(tmp_path)))
    worker = start_worker(pool=pool)

    fire("probe.ProbeEvent", users=users)

    wait_for_runs(20, meanwhile=worker.supervise)
    assert outcomes(user=victim) == {"failed worker_lost": 1}, explain()
    assert outcomes() == {"failed worker_lost": 1, "succeeded": 19}, explain()
    assert effects() == {"effect": 19}
    assert Run.objects.get(user=victim).losses == 3


@pytest.mark.parametrize("pool", ["prefork"])
def test_an_action_that_never_ends_fails_and_its_neighbours_succeed(pool: str, start_worker: StartWorker) -> None:
    users = people(20)
    victim = users[7]
    a_trigger(HangingAction(victim=victim.username))
    start_worker(pool=pool)

    fire("probe.ProbeEvent", users=users)

    wait_for_runs(20)
    assert outcomes(user=victim) == {"failed action_failed": 1}, explain()
    assert outcomes() == {"failed action_failed": 1, "succeeded": 19}, explain()
    assert effects() == {"hanging": 19}
