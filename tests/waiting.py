"""Waiting for what other processes do, without sleeping a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: By how many seconds a busy machine may be late: what has a time limit has ended by then, what has none has not.
SLACK = 8.0


def wait_until(
    condition: Callable[[], T],
    *,
    timeout: float = 30,
    interval: float = 0.05,
    message: str | Callable[[], object] = "the condition",
) -> T:
    """
    Return the condition's first true value, asking again every ``interval`` seconds.

    Fails with the message, which may be a function that says how things stand, when ``timeout``
    seconds have passed. The condition is asked at least once, and a last time when time is up.
    """
    deadline = time.monotonic() + timeout
    while True:
        late = time.monotonic() >= deadline
        value = condition()
        if value:
            return value
        if late:
            said = message if isinstance(message, str) else message()
            raise AssertionError(f"waited {timeout:g} s in vain for {said}")
        time.sleep(interval)
