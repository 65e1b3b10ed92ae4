"""
What :meth:`Action.perform <triggers.models.Action.perform>` may return to steer its run.

Returning nothing goes on with the next action.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Wait:
    """The step has succeeded; the next one begins no sooner than ``until`` (a moment, or a time from now)."""

    until: timedelta | datetime

    def __post_init__(self) -> None:
        if isinstance(self.until, datetime) and self.until.tzinfo is None:
            raise ValueError("flow.Wait needs a datetime with a time zone.")

    def due_at(self, now: datetime) -> datetime:
        """The moment at which the run goes on."""
        return self.until if isinstance(self.until, datetime) else now + self.until


@dataclass(frozen=True)
class Stop:
    """The step has succeeded and the run ends here, succeeded; ``reason`` is kept with it."""

    reason: str


Outcome = Wait | Stop | None
