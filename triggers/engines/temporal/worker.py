"""The worker: a process that performs workflows and activities of a task queue, and sweeps."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.db import close_old_connections
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from triggers import conf, sweeping
from triggers.engines.temporal import activities, workflows
from triggers.engines.temporal.client import is_reachable, options, status_of
from triggers.engines.temporal.closing import ClosedWorkflows
from triggers.engines.temporal.engine import TRIGGER, USER, TemporalEngine
from triggers.engines.temporal.workflows import HEARTBEAT
from triggers.exceptions import TriggersError

logger = logging.getLogger(__name__)


class WorkerRefused(TriggersError):
    """The worker cannot work as things are; the message says what to do."""

    code = "worker_refused"


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    task_queue: str
    concurrency: int
    #: Workers with a version take only workflows of that version, once it has been made current.
    version: WorkerDeploymentVersion | None = None


def run(given: Options, say: Callable[[str], object], when_ready: Callable[[], None] = lambda: None) -> None:
    """
    Work until SIGTERM or SIGINT, then finish what was begun; a second signal ends the process at once.

    A server that goes away is waited for. Raises WorkerRefused where it cannot be worked for from the beginning.
    """
    asyncio.run(_run(given, say, when_ready))


async def _run(given: Options, say: Callable[[str], object], when_ready: Callable[[], None]) -> None:
    client = await connect()
    with ThreadPoolExecutor(given.concurrency, thread_name_prefix="triggers-activity") as threads:
        worker = _worker(client, given, threads)
        stop = asyncio.create_task(_signalled(say))
        working = asyncio.create_task(worker.run())
        sweeping = asyncio.create_task(_sweep_until(stop))
        say(f"Working for the task queue “{given.task_queue}”.")
        when_ready()
        await asyncio.wait([stop, working], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        await worker.shutdown()
        await asyncio.gather(working, sweeping)


def _worker(client: Client, given: Options, threads: ThreadPoolExecutor) -> Worker:
    deployment = None
    if given.version:
        deployment = WorkerDeploymentConfig(
            version=given.version,
            use_worker_versioning=True,
            # A run is finished by the code that began it.
            default_versioning_behavior=VersioningBehavior.PINNED,
        )
    # This package is loaded once, not for each workflow: its workflows import nothing that could differ.
    restrictions = SandboxRestrictions.default.with_passthrough_modules("triggers")
    return Worker(
        client,
        task_queue=given.task_queue,
        workflows=[workflows.RunWorkflow, workflows.ChunkWorkflow],
        activities=activities.ALL,
        activity_executor=threads,
        # As many as there are threads: one that waits for a thread is taken for lost.
        max_concurrent_activities=given.concurrency,
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
        # With versions a run is performed by the code that its workflow began with, so nobody takes it along.
        interceptors=[activities.Surroundings(takes_others=given.version is None)],
        # Held back for longer, a sign of life may come too late on a busy machine.
        max_heartbeat_throttle_interval=HEARTBEAT / 3,
        graceful_shutdown_timeout=conf.lease(),
        deployment_config=deployment,
    )


async def _signalled(say: Callable[[str], object]) -> None:
    """Returns at the first signal."""
    signalled = asyncio.Event()

    def on_signal() -> None:
        if signalled.is_set():
            os._exit(1)
        say("Stopping: what is under way is finished first. A second signal cuts it off.")
        signalled.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    await signalled.wait()


async def _sweep_until(stop: asyncio.Task[None]) -> None:
    closed = ClosedWorkflows()
    while not stop.done():
        await asyncio.to_thread(_sweep, closed)
        await asyncio.wait([stop], timeout=conf.sweep_interval().total_seconds())


def _sweep(closed: ClosedWorkflows) -> None:
    close_old_connections()
    try:
        # What is handed over to nobody would only be handed over later the next time.
        if is_reachable():
            closed.look()
            sweeping.sweep(TemporalEngine.name)
    except Exception:
        logger.exception("The sweep failed; the next one does its work")
    finally:
        close_old_connections()


async def connect() -> Client:
    """A client of the namespace, which is there. Raises WorkerRefused, which says what is amiss."""
    try:
        given = options()
    except Exception as error:
        raise WorkerRefused(f"What the environment says of Temporal cannot be used: {error}") from error
    try:
        client = await Client.connect(**given)
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except Exception as error:
        raise WorkerRefused(_explanation(error, given["target_host"], given["namespace"])) from error
    if conf.temporal_search_attributes():
        await _require_search_attributes(client)
    return client


async def _require_search_attributes(client: Client) -> None:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        known = (await client.operator_service.list_search_attributes(request)).custom_attributes
    except RPCError as error:
        logger.warning("Temporal does not say which search attributes there are (%s)", error.status.name)
        return
    missing = [key.name for key in (TRIGGER, USER) if key.name not in known]
    if missing:
        names = " ".join(f"--name {name} --type Keyword" for name in missing)
        raise WorkerRefused(
            f"The namespace “{client.namespace}” has no search attribute {' and no '.join(missing)}. Make it (temporal "
            f"operator search-attribute create --namespace {client.namespace} {names}), or set "
            "TEMPORAL_SEARCH_ATTRIBUTES = False."
        )


def _explanation(error: Exception, host: str, namespace: str) -> str:
    match status_of(error):
        case RPCStatusCode.NOT_FOUND:
            return (
                f"The Temporal server at {host} has no namespace “{namespace}”. Make it "
                f"(temporal operator namespace create --namespace {namespace}), or name another in TEMPORAL_NAMESPACE."
            )
        case RPCStatusCode.UNAUTHENTICATED | RPCStatusCode.PERMISSION_DENIED as status:
            return (
                f"The Temporal server at {host} does not let this worker in ({status.name}). Check TEMPORAL_API_KEY or "
                f"the client certificate, and that they are for the namespace “{namespace}”."
            )
    return f"No Temporal server answers at {host}. Is it running, and is TEMPORAL_HOST right? The client says: {error}"
