"""
When runs are advanced: a loop of an activity, then a durable timer that signals may cut short.

What happens to runs is for the activities, which decide from the database. This module imports neither Django nor
anything that does, for Temporal loads it into a sandbox. Activities are called by name.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from temporalio import workflow
from temporalio.common import RetryPolicy

# Names as they stand in Temporal: workflows under way know them.
RUN: Final = "triggers.run"
CHUNK: Final = "triggers.chunk"
ADVANCE: Final = "triggers.advance"
ADVANCE_CHUNK: Final = "triggers.advance_chunk"
EXPAND: Final = "triggers.expand"
WAKE: Final = "wake"
CANCEL: Final = "cancel"

#: A worker that has not been heard of for so long is lost, and another takes its activity.
HEARTBEAT: Final = timedelta(seconds=10)
#: Longer than any activity takes: it ends within the lease, or shortly after.
LONGEST: Final = timedelta(hours=1)
LONGEST_TIMER: Final = timedelta(days=365)

T = TypeVar("T")


def workflow_id(run_id: UUID, generation: int) -> str:
    """The name of a run's workflow: another one each time that the run is opened again."""
    return f"{run_id}:{generation}"


@dataclass(frozen=True)
class RunInput:
    """A run, and when it may go on; None is at once."""

    run_id: str
    due_at: datetime | None = None


@dataclass(frozen=True)
class ChunkInput:
    """Runs or audience chunks, what is to be done with them, and when."""

    activity: str
    ids: list[str]
    due_at: datetime | None = None


@dataclass(frozen=True)
class Advance:
    """What ``ADVANCE`` is given. Its ``now`` is the workflow's time."""

    run_id: str
    now: datetime


@dataclass(frozen=True)
class Advanced:
    """In how many seconds the run may go on; None once it has ended."""

    seconds: float | None = None


@dataclass(frozen=True)
class Batch:
    """What ``ADVANCE_CHUNK`` and ``EXPAND`` are given; they answer those of the ids that are to be done again."""

    ids: list[str]
    now: datetime


@workflow.defn(name=RUN)
class RunWorkflow:
    """Sees one run to its end."""

    @workflow.init
    def __init__(self, run: RunInput) -> None:
        #: When to ask the database next; None while it is being asked.
        self._due_at: datetime | None = run.due_at or workflow.now()

    @workflow.signal(name=WAKE)
    def wake(self, due_at: datetime | None = None) -> None:
        """Look at the run at that time, now if it is None, unless that is to be done before."""
        due_at = due_at or workflow.now()
        self._due_at = min(self._due_at or due_at, due_at)

    @workflow.signal(name=CANCEL)
    def cancel(self) -> None:
        """Somebody asked for the run to be cancelled: the database says so."""
        self.wake()

    @workflow.run
    async def run(self, run: RunInput) -> None:
        while True:
            await self._until_due()
            # Before the activity: what is signalled while it works is not lost.
            self._due_at = None
            advanced = await _perform(ADVANCE, Advance(run.run_id, workflow.now()), Advanced)
            if advanced.seconds is None:
                return
            self.wake(workflow.now() + timedelta(seconds=advanced.seconds))
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(RunInput(run.run_id, self._due_at))

    async def _until_due(self) -> None:
        while self._due_at is not None and (pause := self._due_at - workflow.now()) > timedelta():
            before = self._due_at
            with suppress(asyncio.TimeoutError):
                await workflow.wait_condition(partial(self._is_moved, before), timeout=min(pause, LONGEST_TIMER))

    def _is_moved(self, before: datetime) -> bool:
        return self._due_at != before


@workflow.defn(name=CHUNK)
class ChunkWorkflow:
    """Has runs advanced together, or audience chunks expanded; runs that wait then have workflows of their own."""

    @workflow.run
    async def run(self, chunk: ChunkInput) -> None:
        while chunk.due_at is not None and (pause := chunk.due_at - workflow.now()) > timedelta():
            await workflow.sleep(min(pause, LONGEST_TIMER))
        ids = chunk.ids
        while ids:
            ids = await _perform(chunk.activity, Batch(ids, workflow.now()), list[str])
            if ids and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(ChunkInput(chunk.activity, ids))


async def _perform(activity: str, argument: Any, result_type: type[T]) -> T:
    """Until it succeeds: what fails for a while is the database."""
    result: T = await workflow.execute_activity(
        activity,
        argument,
        result_type=result_type,
        start_to_close_timeout=LONGEST,
        heartbeat_timeout=HEARTBEAT,
        retry_policy=RetryPolicy(maximum_interval=timedelta(minutes=1)),
    )
    return result
