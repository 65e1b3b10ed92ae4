"""The engine: tells Temporal what is to be advanced."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from temporalio.api.enums.v1 import TaskQueueType, WorkerVersioningMode
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from triggers import clock, conf
from triggers.engines.base import Engine
from triggers.engines.temporal.client import connection, options, status_of
from triggers.engines.temporal.closing import is_reopened
from triggers.engines.temporal.workflows import (
    ADVANCE_CHUNK,
    CANCEL,
    CHUNK,
    EXPAND,
    RUN,
    WAKE,
    ChunkInput,
    RunInput,
    workflow_id,
)
from triggers.models import Run

logger = logging.getLogger(__name__)

#: How long a commit may wait for Temporal, and how long it is then left alone. The sweep does the rest.
TELL_SECONDS: Final = 2.0
AWAY_SECONDS: Final = 5.0
#: How many runs one workflow advances, and how many are told of one by one.
CHUNK_SIZE: Final = 1000
MANY: Final = 100

_RPC_TIMEOUT: Final = timedelta(seconds=1.5)
_AT_ONCE: Final = 16

#: Search attributes, which the namespace has to be given once.
TRIGGER: Final = SearchAttributeKey.for_keyword("TriggersTrigger")
USER: Final = SearchAttributeKey.for_keyword("TriggersUser")

_Message = Callable[[Client], Awaitable[Any]]


class TemporalEngine(Engine):
    """Hands runs to the workers of a Temporal task queue."""

    name = "temporal"

    def __init__(self) -> None:
        self._away_until = 0.0

    def problem(self) -> tuple[str, str] | None:
        try:
            options()
        except Exception as error:
            return (
                f"What the environment says of Temporal cannot be used: {error}",
                "Correct the TEMPORAL_… environment variables, or the profile that they name.",
            )
        return None

    def outage(self) -> str | None:
        async def ask(client: Client) -> str | None:
            request = DescribeTaskQueueRequest(
                namespace=client.namespace,
                task_queue=TaskQueue(name=conf.temporal_task_queue()),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            )
            return _lack_of_workers(await client.workflow_service.describe_task_queue(request, timeout=_RPC_TIMEOUT))

        try:
            return connection().call(ask, TELL_SECONDS)
        except Exception as error:
            status = status_of(error)
            return _OUTAGES.get(status, f"Temporal cannot be reached ({status.name}).")

    def start(self, run_ids: Sequence[UUID], due_at: datetime | None = None) -> None:
        alone = set(run_ids) if len(run_ids) == 1 else _have_waited(run_ids)
        if len(alone) > MANY:
            alone = set()
        self.hand_over(dict.fromkeys(alone, due_at))
        together = [run_id for run_id in run_ids if run_id not in alone]
        chunks = [together[begin : begin + CHUNK_SIZE] for begin in range(0, len(together), CHUNK_SIZE)]
        self._tell([_chunk_message(ADVANCE_CHUNK, chunk, due_at) for chunk in chunks])

    def expand(self, chunk_ids: Sequence[UUID]) -> None:
        workflows = [chunk_ids[begin::_AT_ONCE] for begin in range(min(_AT_ONCE, len(chunk_ids)))]
        self._tell([_chunk_message(EXPAND, ids, None) for ids in workflows])

    def wake(self, run_ids: Sequence[UUID]) -> None:
        if len(run_ids) > MANY:
            self.start(run_ids)
        else:
            self.hand_over(dict.fromkeys(run_ids))

    def cancel(self, run_ids: Sequence[UUID]) -> None:
        # Workflows that do not hear of it end when they next look at their run.
        if len(run_ids) <= MANY:
            self._tell([_cancel_message(workflow_id(run.pk, run.generation)) for run in _runs(run_ids)])

    def hand_over(self, due: Mapping[UUID, datetime | None], seconds: float = TELL_SECONDS) -> None:
        """See that each run has a workflow of its own, which looks at it no later than when it is due."""
        closed: list[Run] = []
        self._tell([_run_message(run, due[run.pk], closed) for run in _runs(list(due))], seconds)
        reopened = [run.pk for run in closed if is_reopened(run)]
        self._tell([_run_message(run, due[run.pk], []) for run in _runs(reopened)], seconds)

    def _tell(self, messages: Sequence[_Message], seconds: float = TELL_SECONDS) -> None:
        if not messages or time.monotonic() < self._away_until:
            return
        try:
            connection().call(lambda client: _send(client, messages), seconds)
        except Exception as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            logger.warning("Temporal does not take runs (%s); the sweep will hand them over", status_of(error).name)


_VERSIONED: Final = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
_OUTAGES: Final = {
    RPCStatusCode.NOT_FOUND: "Temporal has no namespace of the name that is set.",
    RPCStatusCode.UNAUTHENTICATED: "Temporal does not let this process in: it does not know its credentials.",
    RPCStatusCode.PERMISSION_DENIED: "Temporal does not let this process in: its credentials do not suffice.",
}


def _lack_of_workers(queue: DescribeTaskQueueResponse) -> str | None:
    """Why runs that begin now would be given to no worker of the queue."""
    if not queue.pollers:
        return "No worker takes work from the task queue in Temporal."
    current = queue.versioning_info.current_deployment_version
    options = [poller.deployment_options for poller in queue.pollers]
    if not current.build_id:
        if any(option.worker_versioning_mode != _VERSIONED for option in options):
            return None
        return "No version of the workers in Temporal is the current one: make one so, by manage.py temporal_version."
    if (current.deployment_name, current.build_id) in [(option.deployment_name, option.build_id) for option in options]:
        return None
    return f"No worker in Temporal is of the current version, “{current.build_id}” of “{current.deployment_name}”."


def _have_waited(run_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the runs that have workflows of their own: what is left to do is done by the code that began them."""
    waiting = Run.objects.using(clock.alias()).filter(pk__in=run_ids, status=Run.Status.WAITING)
    return set(waiting.values_list("pk", flat=True))


def _runs(run_ids: Sequence[UUID]) -> list[Run]:
    runs = Run.objects.using(clock.alias()).filter(pk__in=run_ids)
    return list(runs.only("generation", "occurrence_id", "trigger_name", "user_id"))


def search_attributes(run: Run) -> TypedSearchAttributes:
    """What people find the run's workflow by, where the namespace has been given the attributes."""
    if not conf.temporal_search_attributes():
        return TypedSearchAttributes.empty
    return TypedSearchAttributes(
        [SearchAttributePair(TRIGGER, run.trigger_name), SearchAttributePair(USER, str(run.user_id))]
    )


async def _send(client: Client, messages: Sequence[_Message]) -> None:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def send(message: _Message) -> None:
        async with slots:
            await message(client)

    await asyncio.gather(*map(send, messages))


def _run_message(run: Run, due_at: datetime | None, closed: list[Run]) -> _Message:
    async def send(client: Client) -> None:
        try:
            await client.start_workflow(
                RUN,
                RunInput(str(run.pk), due_at),
                id=workflow_id(run.pk, run.generation),
                task_queue=conf.temporal_task_queue(),
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                # One that runs already may be waiting for something else.
                start_signal=WAKE,
                start_signal_args=[due_at],
                # For people who look at the workflow in Temporal.
                static_summary=f"{run.trigger_name} · {run.user_id}",
                memo={"trigger": run.trigger_name, "user": str(run.user_id), "occurrence": str(run.occurrence_id)},
                search_attributes=search_attributes(run),
                rpc_timeout=_RPC_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            closed.append(run)

    return send


def _chunk_message(activity: str, ids: Sequence[UUID], due_at: datetime | None) -> _Message:
    texts = [str(id) for id in ids]
    digest = hashlib.sha256(" ".join(texts).encode()).hexdigest()

    async def send(client: Client) -> None:
        await client.start_workflow(
            CHUNK,
            ChunkInput(activity, texts, due_at),
            id=f"{activity}:{digest[:32]}",
            task_queue=conf.temporal_task_queue(),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"{activity} × {len(texts)}",
            rpc_timeout=_RPC_TIMEOUT,
        )

    return send


def _cancel_message(id: str) -> _Message:
    async def send(client: Client) -> None:
        try:
            await client.get_workflow_handle(id).signal(CANCEL, rpc_timeout=_RPC_TIMEOUT)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise

    return send
