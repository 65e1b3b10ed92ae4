"""
What :meth:`Action.perform <triggers.models.Action.perform>` may return to steer its run.

Returning nothing goes on with the next action.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

if TYPE_CHECKING:
    from triggers.models import Event

OnTimeout = Literal["continue", "stop"]


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
class WaitForEvent:
    """
    The step has succeeded; the next one begins when an event of the type happens to the run's user, at the latest
    after the timeout.

    ``type`` is an Event class or its label. With ``context`` only an event counts whose context has these values under
    these keys. What was recorded since the preceding step succeeded (since the run started, where there is none)
    counts, but no event twice in one run. If none comes the run goes on or, with ``on_timeout="stop"``, ends with the
    code ``timed_out``.
    """

    type: type[Event] | str
    timeout: timedelta
    on_timeout: OnTimeout = "continue"
    context: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.timeout, timedelta):
            raise TypeError("flow.WaitForEvent needs a timedelta as its timeout.")
        if self.on_timeout not in _ON_TIMEOUT:
            raise ValueError(f"on_timeout must be one of {', '.join(_ON_TIMEOUT)}, not {self.on_timeout!r}.")


_ON_TIMEOUT: Final = get_args(OnTimeout)


@dataclass(frozen=True)
class GoOnIfConditionsHold:
    """
    The step has succeeded; the run ends here, succeeded, unless the trigger's conditions hold for the user still.

    Limits, the conditions with the code ``limit_reached``, are not asked: the run is counted already. A condition that
    raises is the step's failure.
    """


@dataclass(frozen=True)
class Stop:
    """The step has succeeded and the run ends here, succeeded; ``reason`` is kept with it."""

    reason: str


Outcome = Wait | WaitForEvent | GoOnIfConditionsHold | Stop | None
