"""Processes end with their parent; also where the kernel does not see to it."""

import os
import signal
import subprocess
import sys

import pytest

from tests.waiting import wait_until

CHILD = """
import os, sys, time
from triggers_api.service import lifeline
sys.platform = sys.argv[1]
lifeline.end_with(os.getppid())
print(os.getpid(), flush=True)
time.sleep(60)
"""
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"


@pytest.mark.parametrize("platform", [sys.platform, "another"])
def test_a_process_ends_with_its_parent(platform: str) -> None:
    command = [sys.executable, "-c", PARENT, CHILD, platform]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.send_signal(signal.SIGKILL)
        # The pipe's other end is the child's.
        wait_until(lambda: parent.stdout is not None and parent.stdout.read() == "", timeout=5)
        with pytest.raises(ProcessLookupError):
            wait_until(lambda: os.kill(child, 0))
