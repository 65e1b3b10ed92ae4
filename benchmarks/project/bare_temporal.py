"""The floor for runs through Temporal: a workflow of one activity that does nothing, its worker, and its client."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

TASK_QUEUE = "bare"


@activity.defn
def nothing() -> float:
    """Answers when it was called."""
    return time.time()


@workflow.defn
class Bare:
    @workflow.run
    async def run(self) -> float:
        return await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(minutes=1))


async def connect() -> Client:
    return await Client.connect(os.environ["TEMPORAL_HOST"], namespace="triggers")


async def work() -> None:
    """As ``temporal_worker`` does: the same number of threads, until it is told to stop."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with ThreadPoolExecutor(10) as threads:
        options: dict[str, Any] = {"activity_executor": threads, "max_concurrent_activities": 10}
        async with Worker(await connect(), task_queue=TASK_QUEUE, workflows=[Bare], activities=[nothing], **options):
            print("Working for the task queue", flush=True)
            await stop.wait()


_loop = asyncio.new_event_loop()
_client: list[Client] = []


def perform(number: int) -> dict[str, Any]:
    """When the first of so many workflows was started, and when the last of their activities was called."""
    return _loop.run_until_complete(_perform(number))


async def _perform(number: int) -> dict[str, Any]:
    if not _client:
        _client.append(await connect())
    began = time.time()
    handles: list[WorkflowHandle[Any, float]] = [
        await _client[0].start_workflow(Bare.run, id=str(uuid4()), task_queue=TASK_QUEUE) for _ in range(number)
    ]
    last = max(await asyncio.gather(*(handle.result() for handle in handles)))
    return {"began": began, "last": last}


if __name__ == "__main__" and sys.argv[1:] == ["work"]:
    asyncio.run(work())
