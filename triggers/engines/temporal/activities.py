"""
What workflows have done on a worker. Every activity decides from the database alone: one that is repeated, after its
worker was lost or its answer, finds done what was done.
"""

from __future__ import annotations

import contextvars
import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import close_old_connections
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from triggers import clock, conf, engines, expansion, running
from triggers.engines.temporal.engine import TemporalEngine
from triggers.engines.temporal.workflows import (
    ADVANCE,
    ADVANCE_CHUNK,
    EXPAND,
    HEARTBEAT,
    LONGEST_TIMER,
    Advance,
    Advanced,
    Batch,
)

#: How long a worker may take to tell Temporal of the runs of a chunk that wait.
_TELL_SECONDS: Final = 60.0
#: Before what is due at once, and could not be had, is tried again.
_PAUSE_SECONDS: Final = 0.05
#: Whether runs of a burst are taken along though each has a workflow of its own, which then finds nothing to do.
_takes_others: Final = contextvars.ContextVar("triggers_takes_others", default=False)


@activity.defn(name=ADVANCE, no_thread_cancel_exception=True)
def advance(given: Advance) -> Advanced:
    """Advance the run until it ends or waits."""
    run_id = UUID(given.run_id)
    while not _should_stop():
        remaining = running.advance([run_id], now=given.now, should_stop=_should_stop, takes_others=_takes_others.get())
        others = {other.run_id: other.due_at for other in remaining if other.run_id != run_id and not other.is_held}
        _engine().hand_over(others, _TELL_SECONDS)
        left = next((run for run in remaining if run.run_id == run_id), None)
        if left is None:
            return Advanced()
        if (pause := _pause(left, given.now)) > timedelta():
            return Advanced(min(pause, LONGEST_TIMER).total_seconds())
        time.sleep(_PAUSE_SECONDS)
    return Advanced(0.0)


@activity.defn(name=ADVANCE_CHUNK, no_thread_cancel_exception=True)
def advance_chunk(given: Batch) -> list[str]:
    """Advance the runs, a part at a time, until each has ended or is waited for by a workflow of its own."""
    left = deque(map(UUID, given.ids))
    may_go_on = _half_a_lease()
    while left and may_go_on():
        part = [left.popleft() for _ in range(min(conf.chunk_size(), len(left)))]
        waiting: dict[UUID, datetime | None] = {}
        for run in running.advance(part, now=given.now, should_stop=_should_stop):
            if run.is_held:
                continue  # the sweep hands it over, alone
            if run.due_at is None:
                left.append(run.run_id)
            else:
                waiting[run.run_id] = run.due_at
        _engine().hand_over(waiting, _TELL_SECONDS)
    return [str(run_id) for run_id in left]


@activity.defn(name=EXPAND, no_thread_cancel_exception=True)
def expand(given: Batch) -> list[str]:
    """Turn the audience chunks into runs, one after the other."""
    left = deque(given.ids)
    may_go_on = _half_a_lease()
    while left and may_go_on():
        if not expansion.expand(UUID(left[0])):
            left.popleft()
    return list(left)


ALL: Final[list[Callable[..., Any]]] = [advance, advance_chunk, expand]


def _engine() -> TemporalEngine:
    engine = engines.get(TemporalEngine.name)
    assert isinstance(engine, TemporalEngine)  # noqa: S101
    return engine


def _should_stop() -> bool:
    return activity.is_worker_shutdown()


def _half_a_lease() -> Callable[[], bool]:
    """Whether something more may be begun: what is left then is the workflow's next activity."""
    end = time.monotonic() + conf.lease().total_seconds() / 2
    return lambda: time.monotonic() < end and not _should_stop()


def _pause(left: running.Remaining, now: datetime) -> timedelta:
    """How long the run is to wait. What another worker holds is free by the database's clock, not the workflow's."""
    if left.due_at is None:
        return timedelta()
    moment = clock.Clock(clock.alias()).now()
    return left.due_at - (moment if left.is_held else max(moment, now))


class Surroundings(Interceptor):
    """Around each activity: database connections as around a request, and signs of life."""

    def __init__(self, *, takes_others: bool) -> None:
        self._takes_others = takes_others

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Surrounded(next, self._takes_others)


class _Surrounded(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, takes_others: bool) -> None:
        super().__init__(next)
        self._takes_others = takes_others

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        # The function, which runs on a thread of the pool; this method runs on the event loop's.
        input.fn = _surrounded(input.fn, self._takes_others)
        return await super().execute_activity(input)


def _surrounded(function: Callable[..., Any], takes_others: bool) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        _takes_others.set(takes_others)
        close_old_connections()
        try:
            with _heartbeats():
                return function(*arguments)
        finally:
            close_old_connections()

    return call


@contextmanager
def _heartbeats() -> Iterator[None]:
    """
    Say that this worker lives while the block runs, for twice a lease at most: an activity takes longer only if an
    action does, and then another worker may ask the database, which knows whether the run is held still.
    """
    done = threading.Event()
    end = time.monotonic() + 2 * conf.lease().total_seconds()

    def beat() -> None:
        while time.monotonic() < end and not done.wait(HEARTBEAT.total_seconds() / 4):
            activity.heartbeat()

    threading.Thread(
        target=contextvars.copy_context().run, args=(beat,), name="triggers-heartbeat", daemon=True
    ).start()
    try:
        yield
    finally:
        done.set()
