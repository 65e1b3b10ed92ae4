"""Today's workflows, changed: by somebody who does not think of those that are under way, and by somebody who does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow

from triggers.engines.temporal.workflows import CHUNK, RUN, ChunkInput, ChunkWorkflow, RunInput, RunWorkflow


async def _sleep() -> None:
    await workflow.sleep(0.001)


async def _do_something_first() -> None:
    await workflow.execute_activity("something", start_to_close_timeout=timedelta(seconds=1))


@workflow.defn(name=RUN)
class RunAfterSleep(RunWorkflow):
    @workflow.run
    async def run(self, run: RunInput) -> None:
        await _sleep()
        await super().run(run)


@workflow.defn(name=CHUNK)
class ChunkAfterSleep(ChunkWorkflow):
    @workflow.run
    async def run(self, chunk: ChunkInput) -> None:
        await _sleep()
        await super().run(chunk)


@workflow.defn(name=RUN)
class RunAfterActivity(RunWorkflow):
    @workflow.run
    async def run(self, run: RunInput) -> None:
        await _do_something_first()
        await super().run(run)


@workflow.defn(name=CHUNK)
class ChunkAfterActivity(ChunkWorkflow):
    @workflow.run
    async def run(self, chunk: ChunkInput) -> None:
        await _do_something_first()
        await super().run(chunk)


@workflow.defn(name=RUN)
class RunAfterPatchedSleep(RunWorkflow):
    """As the sleep should be added: for runs that begin from now on."""

    @workflow.run
    async def run(self, run: RunInput) -> None:
        if workflow.patched("sleep"):
            await _sleep()
        await super().run(run)


@workflow.defn(name=CHUNK)
class ChunkAfterPatchedSleep(ChunkWorkflow):
    @workflow.run
    async def run(self, chunk: ChunkInput) -> None:
        if workflow.patched("sleep"):
            await _sleep()
        await super().run(chunk)


@workflow.defn(name=RUN)
class RunWithoutTimers(RunWorkflow):
    @workflow.run
    async def run(self, run: RunInput) -> None:
        await super().run(run)

    async def _until_due(self) -> None:
        await workflow.wait_condition(lambda: self._due_at is not None)


SLEEP: Sequence[type] = (RunAfterSleep, ChunkAfterSleep)
ACTIVITY: Sequence[type] = (RunAfterActivity, ChunkAfterActivity)
PATCHED_SLEEP: Sequence[type] = (RunAfterPatchedSleep, ChunkAfterPatchedSleep)
WITHOUT_TIMERS: Sequence[type] = (RunWithoutTimers, ChunkWorkflow)
