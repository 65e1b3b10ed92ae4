"""Interrupting an action that takes too long."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import NoReturn

from triggers.exceptions import ActionError


class ActionTimedOut(ActionError):
    """The attempt took longer than the action's ``timeout``."""


@contextmanager
def time_limit(limit: timedelta) -> Iterator[None]:
    """
    Raise ActionTimedOut inside the block once ``limit`` has passed.

    Only the main thread of a process can be interrupted (Celery's prefork and solo pools work in it); in other
    threads the block runs on, and its run is taken over when the lease ends.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise ActionTimedOut(f"The attempt took longer than {limit.total_seconds():g} seconds.")

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, limit.total_seconds())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
