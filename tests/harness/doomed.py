"""A test run that is killed while its servers and a worker run; started by `test_processes`."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin import FOLDER
from tests.servers.redis import Redis
from tests.servers.worker import Worker


def descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def test_doomed(request: pytest.FixtureRequest, redis_server: Redis, worker: Worker) -> None:
    shutil.rmtree(request.config.stash[FOLDER])  # which the end of the test run would have done
    Path(os.environ["DOOMED_PIDS"]).write_text(" ".join(map(str, descendants(os.getpid()))))
    os.kill(os.getpid(), signal.SIGKILL)
    pytest.fail("still alive")
