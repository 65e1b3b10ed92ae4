"""Children that do not keep running."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.servers.processes import spawn
from tests.waiting import wait_until

CHILD = "from triggers_api.service import lifeline; lifeline.say_ready(); raise SystemExit(3)"
SUPERVISOR = """
import sys
from triggers_api.service.supervisor import Child, Supervisor, say
child = Child("child", [sys.executable, "-c", sys.argv[1]], [])
Supervisor([child]).run(when_ready=lambda: say("ready"), when_stopping=lambda: say("stopping"))
"""


def supervise(child: str, log: Path) -> subprocess.Popen[bytes]:
    return spawn([sys.executable, "-c", SUPERVISOR, child], log=log)


def test_the_pause_before_a_child_is_started_again_grows_and_does_not_delay_the_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = supervise(CHILD, log)
    wait_until(lambda: "starting it again in 4 s." in log.read_text())
    process.send_signal(signal.SIGTERM)
    assert process.wait(2) == 0
    said = [line for line in log.read_text().splitlines() if "child" in line or line.islower()]
    ended = "The child ended with code 3; starting it again in"
    assert said == ["ready", f"{ended} 1 s.", f"{ended} 2 s.", f"{ended} 4 s.", "stopping"]


def test_a_child_that_ends_before_it_is_ready_ends_everything(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = supervise("raise SystemExit('there is no disk')", log)
    assert process.wait(10) == 1
    assert "there is no disk" in log.read_text()
    assert "The child ended with code 1 before it was ready." in log.read_text()
    assert "ready\n" not in log.read_text().splitlines(keepends=True)
