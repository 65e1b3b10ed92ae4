"""What an engine is: a way to have ``running.advance`` and ``firing.expand`` called on a worker, in time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from uuid import UUID


class Engine(ABC):
    """
    Every method may be called again with the same ids: the database decides what there is to do.

    None raises because a broker or server is away: it gives up within two seconds, and the sweep hands the work
    over later.
    """

    name: ClassVar[str]

    def ready(self) -> None:
        """Called once the apps are loaded, where the engine is in use."""
        return

    def problem(self) -> tuple[str, str] | None:
        """What keeps the engine from working, and how to mend it, for a system check; None if nothing is known to."""
        return None

    def outage(self) -> str | None:
        """Why the broker or server cannot be reached right now, found within two seconds; None if it can."""
        return None

    @abstractmethod
    def start(self, run_ids: Sequence[UUID], due_at: datetime | None = None) -> None:
        """See that the runs are advanced on a worker, no sooner than ``due_at``."""

    @abstractmethod
    def expand(self, chunk_ids: Sequence[UUID]) -> None:
        """See that the audience chunks become runs, on a worker."""

    def wake(self, run_ids: Sequence[UUID]) -> None:
        """The event has come that these runs waited for: see that they are advanced."""
        self.start(run_ids)

    def cancel(self, run_ids: Sequence[UUID]) -> None:
        """The runs were cancelled, or will be before their next step: what is kept for them is not needed any more."""
        return
