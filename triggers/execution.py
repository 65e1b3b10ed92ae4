"""
Which run is being performed in this thread or task.

``fire`` reads it to record the cause of an event; actions read it for the key that lets receivers
outside the database drop repeats.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class CurrentStep:
    """The step under way. In ``perform_many`` there is no single run: ``run_id`` and ``key`` are None."""

    #: How deep in the chain of events that fired events this run stands.
    depth: int
    run_id: UUID | None = None
    #: ``run.id:position``: the same in every attempt at this step, different for every other step.
    key: str | None = None
    #: The moment from which waits are counted: now, or later where time is made to pass in tests.
    now: datetime | None = None


_current: ContextVar[CurrentStep | None] = ContextVar("triggers_current_step", default=None)


def current_step() -> CurrentStep | None:
    """The step that is being performed, or None outside of ``Action.perform``."""
    return _current.get()


@contextmanager
def performing(step: CurrentStep) -> Iterator[None]:
    """
    Everything inside is done on behalf of ``step``.

    Entered outside the step's transaction, so that its ``on_commit`` hooks are inside too.
    """
    token = _current.set(step)
    try:
        yield
    finally:
        _current.reset(token)
