import signal
import subprocess
import sys
from pathlib import Path

from tests.acceptance.scenario import a_trigger, effects, on_both_engines, outcomes, people, wait_for_runs
from tests.probe.models import RecordEffectAction
from tests.servers.brokers import Broker
from tests.servers.worker import ROOT, Worker, environment
from triggers.models import Run


@on_both_engines
def test_what_was_committed_is_performed_though_the_firing_process_dies_before_the_hand_off(
    broker: Broker, worker: Worker, tmp_path: Path
) -> None:
    [person] = people(1)
    a_trigger(RecordEffectAction())

    firing = subprocess.run(
        [sys.executable, "tests/manage.py", "fire_and_die", str(person.pk)],
        cwd=ROOT,
        env=environment(broker.url, tmp_path),
    )

    assert firing.returncode == -signal.SIGKILL
    assert Run.objects.count() == 1
    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}
    assert effects() == {"effect": 1}
