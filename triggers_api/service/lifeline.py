"""What ties the web server and the worker to the supervisor that started them, if one did."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Final

#: Environment variables of a child: the supervisor's process id, and a file descriptor to say ready on.
SUPERVISOR: Final = "TRIGGERS_SUPERVISOR"
READY: Final = "TRIGGERS_READY"

_PR_SET_PDEATHSIG: Final = 1


def end_with_supervisor() -> None:
    """This process is killed when its supervisor ends, however that ends."""
    if SUPERVISOR in os.environ:
        end_with(int(os.environ.pop(SUPERVISOR)))


def end_with(parent: int) -> None:
    """This process is killed when that one, its parent, ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _end_without(parent)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def say_ready() -> None:
    """The supervisor knows that this process does its work from here on."""
    if READY in os.environ:
        descriptor = int(os.environ.pop(READY))
        os.write(descriptor, b"ready")
        os.close(descriptor)


def _watch(parent: int) -> None:
    while True:
        _end_without(parent)
        time.sleep(0.5)


def _end_without(parent: int) -> None:
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
