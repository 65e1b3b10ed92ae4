"""
Which run is being performed in this thread or task.

``fire`` reads it to record the cause of an event; actions read it for the key that lets receivers
outside the database drop repeats.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from triggers.context import encode


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
    #: What is written to the step beside its outcome.
    record: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def keep(self, **result: Any) -> None:
        """
        Keep these values as the step's ``result``, however the attempt ends; those of a later call take their place.

        Raises ContextInvalid for what a context could not hold either, and RuntimeError in ``perform_many``.
        """
        if self.key is None:
            raise RuntimeError("In perform_many there is no single step that could keep a result.")
        self.record.update(encode({"result": result}))


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
