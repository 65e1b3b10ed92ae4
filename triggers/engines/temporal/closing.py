"""Workflows that ended before their runs: by hand, or by a limit of the server's. What becomes of the runs."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from temporalio.client import Client, WorkflowExecutionStatus

from triggers import clock, conf, running
from triggers.engines.temporal.client import connection, status_of
from triggers.engines.temporal.workflows import RUN, workflow_id
from triggers.models import Run

logger = logging.getLogger(__name__)

_SECONDS: Final = 2.0
#: How long the server may take to list a workflow that has ended.
_LIST_LAG: Final = timedelta(minutes=1)

_ENDED: Final = {
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.FAILED: "failed",
    WorkflowExecutionStatus.TIMED_OUT: "timed out",
}
_LISTED: Final = f"WorkflowType = '{RUN}' AND ExecutionStatus IN ('Terminated', 'Canceled', 'Failed', 'TimedOut')"


class ClosedWorkflows:
    """Fails the open runs of workflows that were ended, soon after it happened."""

    def __init__(self) -> None:
        self._looked_at: datetime | None = None

    def look(self) -> None:
        """Ask the server for what ended since the last look, or ever."""
        began = timezone.now()
        query = _LISTED
        if self._looked_at is not None:
            # Runs in a worker's hands are left to a later look.
            since = self._looked_at - 2 * conf.lease() - _LIST_LAG
            query += f" AND CloseTime > '{since.isoformat()}'"

        async def ask(client: Client) -> dict[str, WorkflowExecutionStatus]:
            return {found.id: found.status async for found in client.list_workflows(query) if found.status is not None}

        try:
            ended = connection().call(ask, 10 * _SECONDS)
        except Exception as error:
            logger.warning("Temporal does not list workflows that were ended (%s)", status_of(error).name)
            return
        run_ids = [UUID(id.partition(":")[0]) for id in ended]
        for run in Run.objects.using(clock.alias()).open().filter(pk__in=run_ids):
            if (status := ended.get(workflow_id(run.pk, run.generation))) is not None:
                _fail(run, status)
        self._looked_at = began


def is_reopened(run: Run) -> bool:
    """
    Whether the open run, whose workflow has ended, is to have a new one, under its next generation. It is not if the
    workflow was ended from outside: that is the run's end, too.
    """
    id = workflow_id(run.pk, run.generation)

    async def ask(client: Client) -> WorkflowExecutionStatus | None:
        return (await client.get_workflow_handle(id).describe()).status

    try:
        status = connection().call(ask, _SECONDS)
    except Exception as error:
        logger.warning("Temporal does not say how %s ended (%s)", id, status_of(error).name)
        return False
    if status in _ENDED:
        _fail(run, status)
        return False
    # It has completed: the database was set back to a time before that.
    same = Run.objects.using(clock.alias()).open().filter(pk=run.pk, generation=run.generation)
    return bool(status == WorkflowExecutionStatus.COMPLETED and same.update(generation=F("generation") + 1))


def _fail(run: Run, status: WorkflowExecutionStatus) -> None:
    detail = (
        f"The workflow {workflow_id(run.pk, run.generation)} was ended in Temporal before the run: {_ENDED[status]}."
    )
    running.fail([run.pk], "workflow_closed", detail)
