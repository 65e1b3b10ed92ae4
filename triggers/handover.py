"""When the sweep hands a run over if nothing has been heard of it by then."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from triggers import conf

#: Engines are told of what is due within this time; what is due later waits in the database.
NEAR: Final = timedelta(minutes=1)

_MAX_BACKOFF: Final = timedelta(hours=1)


def is_near(due_at: datetime | None, now: datetime) -> bool:
    """Whether the engine is told now."""
    return due_at is None or due_at - now <= NEAR


def next_handover_at(due_at: datetime | None, now: datetime) -> datetime:
    """For a run whose engine is told now if it is near, and else when it is due."""
    if due_at is None or due_at <= now:
        return now + conf.handover_grace()
    return due_at + conf.handover_grace() if is_near(due_at, now) else due_at


def backoff(handovers: int) -> timedelta:
    """The pause after so many hand-overs without an answer: it grows, lest a backlog fills the broker with repeats."""
    pause = conf.handover_grace().total_seconds() * 2.0 ** min(handovers, 16)
    return min(timedelta(seconds=pause), _MAX_BACKOFF)
