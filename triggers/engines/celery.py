"""
The Celery engine: one task per chunk of runs, acknowledged late, results ignored.

The broker may forget or repeat messages: the database decides what there is to do, and the sweep, a timer in every
worker's consumer, publishes what was not heard of. Tests with ``CELERY_TASK_ALWAYS_EAGER`` run everything at once,
delays and pauses included.
"""

from __future__ import annotations

import logging
import mmap
import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from queue import Empty, SimpleQueue
from typing import Any, Final
from uuid import UUID

from celery import bootsteps, current_app, shared_task, signals
from celery.loaders.default import Loader as DefaultLoader
from django.utils import timezone

from triggers import conf, engines, running, sweeping
from triggers.engines.base import Engine
from triggers.engines.lasting import lasting_connections
from triggers.expansion import expand as expand_chunk
from triggers.handover import is_near

logger = logging.getLogger(__name__)

#: How long a commit may wait for the broker, and how long it is then left alone. The sweep does the rest.
PUBLISH_SECONDS: Final = 2.0
AWAY_SECONDS: Final = 5.0

# Under CELERY_TASK_ALWAYS_EAGER time jumps to what is due next. A run that stays postponed, since its place is held by
# a run further up in the same call, ends the loop.
_EAGER_ROUNDS: Final = 50

# Whether the worker is to stop: a page shared with the pool's processes, which do not hear of it otherwise.
_stopping: Final = mmap.mmap(-1, 1)


class CeleryEngine(Engine):
    """Hands runs to Celery workers by the project's broker."""

    name = "celery"

    def __init__(self) -> None:
        self._away_until = 0.0

    def ready(self) -> None:
        # Celery finds the tasks whether or not the project autodiscovers them.
        import triggers.tasks  # noqa: F401

    def problem(self) -> tuple[str, str] | None:
        # A project without an app of its own publishes to Celery's default app, which nobody works for.
        if _is_eager() or not isinstance(current_app.loader, DefaultLoader) or current_app.conf.broker_url:
            return None
        return (
            "No Celery app is configured in this process: what is fired here is found by the sweep only.",
            "Import the project's Celery app in its __init__.py, as Celery's first steps with Django show.",
        )

    def outage(self) -> str | None:
        trouble = None if _is_eager() else _in_time(_connect)
        return trouble and f"The broker cannot be reached ({trouble})."

    def start(self, run_ids: Sequence[UUID], due_at: datetime | None = None) -> None:
        now = timezone.now()
        if not is_near(due_at, now) and not _is_eager():
            return  # waits in the database; the sweep hands it over when it is due
        countdown = max(0.0, (due_at - now).total_seconds()) if due_at else 0.0
        size = conf.chunk_size()
        for begin in range(0, len(run_ids), size):
            ids = [str(run_id) for run_id in run_ids[begin : begin + size]]
            if not self._publish(lambda ids=ids: advance.apply_async((ids,), countdown=countdown)):  # type: ignore[misc]
                return

    def expand(self, chunk_ids: Sequence[UUID]) -> None:
        for chunk_id in chunk_ids:
            if not self._publish(lambda chunk_id=chunk_id: expand.apply_async((str(chunk_id),))):  # type: ignore[misc]
                return

    def _publish(self, publish: Callable[[], Any]) -> bool:
        """
        Whether the broker took the message in time. The client libraries wait longer than any request should, and
        each in its own way, so they do it in a thread that is left behind.
        """
        if _is_eager():
            publish()
            return True
        if time.monotonic() < self._away_until:
            return False
        trouble = _in_time(publish)
        if trouble is None:
            return True
        self._away_until = time.monotonic() + AWAY_SECONDS
        logger.warning("The broker does not take messages (%s); the sweep will hand the runs over", trouble)
        return False


class _Caller:
    """A thread that makes calls; one that does not come back from a call is left behind, and ends when it does."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], Any] | None] = SimpleQueue()
        self._answers: SimpleQueue[Exception | None] = SimpleQueue()
        threading.Thread(target=self._work, name="triggers-broker", daemon=True).start()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call()
            except Exception as error:
                self._answers.put(error)
            else:
                self._answers.put(None)
            del call  # holds on to what it was given

    def make(self, call: Callable[[], Any]) -> Exception | None:
        """What the call raised. Raises Empty when it has not returned in time."""
        self._calls.put(call)
        try:
            return self._answers.get(timeout=PUBLISH_SECONDS)
        except Empty:
            self._calls.put(None)
            raise


#: Those that have nothing to do. A new thread for each call would take as long again as the call.
_callers: Final[list[_Caller]] = []
# Threads do not live on in a child process.
os.register_at_fork(after_in_child=_callers.clear)


def _in_time(call: Callable[[], Any]) -> str | None:
    """None if the call to the broker returned in time, else what went wrong, in a word."""
    try:
        caller = _callers.pop()
    except IndexError:
        caller = _Caller()
    try:
        error = caller.make(call)
    except Empty:
        return "no answer"
    _callers.append(caller)
    return type(error.__cause__ or error).__name__ if error else None


def _connect() -> None:
    """Reach the broker by a connection of its own, which is closed again."""
    # Longer than anybody waits for it, but no thread stays behind a broker that is silent for good.
    seconds = 2 * PUBLISH_SECONDS
    options = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    with current_app.connection_for_write(connect_timeout=seconds, transport_options=options) as connection:
        connection.ensure_connection(max_retries=0)


@shared_task(name="triggers.advance", acks_late=True, ignore_result=True)
def advance(run_ids: list[str]) -> None:
    """Advance the runs, and publish what is left of them and will soon be due."""
    ids = [UUID(run_id) for run_id in run_ids]
    if _is_eager():
        _advance_eagerly(ids)
        return
    soon: dict[datetime | None, list[UUID]] = {}
    with lasting_connections():
        remaining = running.advance(ids, should_stop=_is_stopping, takes_others=True)
    for run in remaining:
        if not run.is_held:
            soon.setdefault(run.due_at, []).append(run.run_id)
    for due_at, left in soon.items():
        engines.get(CeleryEngine.name).start(left, due_at)


@shared_task(name="triggers.expand", acks_late=True, ignore_result=True)
def expand(chunk_id: str) -> None:
    """Turn one audience chunk into runs, or the next part of it, and publish that there is more."""
    id = UUID(chunk_id)
    while expand_chunk(id):
        if not _is_eager():
            engines.get(CeleryEngine.name).expand([id])
            return


@shared_task(name="triggers.sweep", ignore_result=True)
def sweep() -> None:
    """Hand over what is due, abandoned or undelivered."""
    sweeping.sweep(CeleryEngine.name)


class SweepTimer(bootsteps.StartStopStep):
    """Publishes ``triggers.sweep`` every so often while the worker is connected, in every pool, without beat."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._entry: Any = None

    def start(self, consumer: Any) -> None:
        _publish_sweep()
        self._entry = consumer.timer.call_repeatedly(conf.sweep_interval().total_seconds(), _publish_sweep)

    def stop(self, consumer: Any) -> None:
        if self._entry is not None:
            self._entry.cancel()
            self._entry = None


def _publish_sweep() -> None:
    """Not on the consumer's own thread, which serves the broker's connection. One that is not taken in time is void."""
    seconds = conf.sweep_interval().total_seconds()

    def publish() -> None:
        try:
            sweep.apply_async(expires=seconds)
        except Exception as error:
            logger.warning("The broker did not take the sweep (%s)", type(error).__name__)

    threading.Thread(target=publish, name="triggers-sweep", daemon=True).start()


@signals.celeryd_init.connect
def _on_worker_init(instance: Any = None, **_: Any) -> None:
    _stopping[0] = 0
    instance.app.steps["consumer"].add(SweepTimer)


@signals.worker_shutting_down.connect
def _on_worker_shutting_down(**_: Any) -> None:
    _stopping[0] = 1


def _is_stopping() -> bool:
    return bool(_stopping[0])


def _advance_eagerly(run_ids: Sequence[UUID]) -> None:
    left, now = list(run_ids), None
    for _ in range(_EAGER_ROUNDS):
        remaining = [run for run in running.advance(left, now=now) if not run.is_held]
        if not remaining:
            return
        left = [run.run_id for run in remaining]
        now = max((run.due_at for run in remaining if run.due_at), default=now)


def _is_eager() -> bool:
    return bool(current_app.conf.task_always_eager)
