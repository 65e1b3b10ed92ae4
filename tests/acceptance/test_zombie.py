import os
import signal
from pathlib import Path

import pytest

from tests.acceptance.scenario import a_trigger, effects, explain, outcomes, people, wait_for_runs
from tests.probe.models import StopWorkerAction
from tests.servers.worker import StartWorker
from tests.waiting import wait_until
from triggers import fire
from triggers.models import Run


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


# In the second attempt the step has a row already.
@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize("engine", ["celery-solo", "temporal"], indirect=True)
@pytest.mark.postgresql  # an open transaction in SQLite would keep the other worker from writing at all
def test_a_worker_that_was_stopped_past_its_lease_has_no_effect_when_it_wakes(
    attempt: int, start_worker: StartWorker, tmp_path: Path
) -> None:
    person, later = people(2)
    a_trigger(StopWorkerAction(stop_at=attempt, victim=person.username, folder=str(tmp_path)))
    zombie = start_worker(concurrency=1)

    fire("probe.ProbeEvent", users=person)
    wait_until(lambda: is_stopped(zombie.pid), message=explain)
    other = start_worker(concurrency=1)
    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}
    assert effects() == {"effect": 1}

    os.kill(zombie.pid, signal.SIGCONT)
    other.stop()
    # The zombie is alone: when it has performed this run, it is over the first.
    fire("probe.ProbeEvent", users=later)
    wait_for_runs(2)
    assert outcomes() == {"succeeded": 2}
    assert effects(user_pk=person.pk) == {"effect": 1}
    assert [step.status for step in Run.objects.get(user=person).steps.all()] == ["succeeded"]
