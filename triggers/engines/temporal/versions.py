"""Versions of the workers' code: which one new workflows begin with, and which have workflows under way."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.enums.v1 import RoutingConfigUpdateState
from temporalio.api.enums.v1 import WorkerDeploymentVersionStatus as Status
from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest, SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from triggers.engines.temporal.worker import connect
from triggers.exceptions import TriggersError

_PREFIX: Final = "WORKER_DEPLOYMENT_VERSION_STATUS_"
_PAUSE_SECONDS: Final = 0.2


class VersionRefused(TriggersError):
    """The version cannot be made the current one, or asked for; the message says why."""

    code = "version_refused"


async def versions(deployment_name: str) -> dict[str, str]:
    """
    The build ids of the deployment, the newest first, and how each stands: ``current``, ``draining`` while workflows
    are under way that began with it, ``drained`` once they have ended, ``inactive`` if none ever began.

    Raises WorkerRefused where Temporal cannot be reached, VersionRefused where it has no versions.
    """
    try:
        deployment = await _describe(await connect(), deployment_name)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return {}
        raise _refused(error) from error
    found = sorted(deployment.version_summaries, key=lambda one: one.create_time.ToNanoseconds(), reverse=True)
    return {one.deployment_version.build_id: Status.Name(one.status).removeprefix(_PREFIX).lower() for one in found}


async def make_current(deployment_name: str, build_id: str, timeout: float) -> None:
    """
    From now on workflows begin with this version; those under way stay with theirs. Safe to repeat.

    Waits until a worker of the version has told Temporal of itself. Raises VersionRefused when none has in that time,
    and WorkerRefused where Temporal cannot be reached.
    """
    client = await connect()
    end = time.monotonic() + timeout
    while (refusal := await _refusal(client, deployment_name, build_id)) is not None:
        if time.monotonic() > end:
            raise VersionRefused(
                f"Temporal does not make build “{build_id}” of “{deployment_name}” current: {refusal} Is a worker of "
                f"it running (manage.py temporal_worker --deployment-name {deployment_name} --build-id {build_id})?"
            )
        await asyncio.sleep(_PAUSE_SECONDS)


async def _refusal(client: Client, deployment_name: str, build_id: str) -> str | None:
    """Why the version is not yet the current one, in the server's words; None if it is."""
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=deployment_name, build_id=build_id
    )
    try:
        await client.workflow_service.set_worker_deployment_current_version(request)
    except RPCError as error:
        # There is no worker yet, or not for all the task queues of the version before.
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.FAILED_PRECONDITION):
            return f"{error.message.rstrip('.?')}."
        raise _refused(error) from error
    deployment = await _describe(client, deployment_name)
    if deployment.routing_config_update_state == RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS:
        return "not every part of the server knows of it yet."
    return None


def _refused(error: RPCError) -> VersionRefused:
    """As where the server is too old to know versions, or the credentials do not suffice."""
    return VersionRefused(f"Temporal answers {error.status.name}: {error.message}")


async def _describe(client: Client, deployment_name: str) -> WorkerDeploymentInfo:
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=deployment_name)
    return (await client.workflow_service.describe_worker_deployment(request)).worker_deployment_info
