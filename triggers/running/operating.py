"""What people do to runs: cancel them, have them tried again; and to the ledger: begin it anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from triggers import clock, engines
from triggers.handover import next_handover_at
from triggers.loading import rows
from triggers.models import Activity, AudienceChunk, Run, Step
from triggers.running import settling
from triggers.running.advancing import advance
from triggers.running.lease import NOT_BEGUN, Lease, LeaseLost

#: How many runs of an occurrence are cancelled at a time.
BATCH: Final = 1000
_WHENEVER_DUE: Final = datetime(9000, 1, 1, tzinfo=UTC)


def cancel(run_ids: Collection[UUID]) -> int:
    """
    Cancel those of the runs that have not ended; returns how many that were.

    What no worker holds is cancelled when this returns. A run in a worker's hands is cancelled before its next step:
    the step under way is neither waited for nor interrupted.
    """
    using = clock.alias()
    now = clock.Clock(using).now()
    requested = Run.objects.using(using).open().filter(pk__in=run_ids).update(cancel_requested_at=now)
    if requested:
        advance(run_ids, now=_WHENEVER_DUE)
        transaction.on_commit(partial(_tell_engines, run_ids, now, using), using=using, robust=True)
    return requested


def _tell_engines(run_ids: Collection[UUID], requested_at: datetime, using: str) -> None:
    by_engine: dict[str, list[UUID]] = defaultdict(list)
    requested = Run.objects.using(using).filter(pk__in=run_ids, cancel_requested_at=requested_at)
    for engine, run_id in requested.values_list("engine", "pk"):
        by_engine[engine].append(run_id)
    for engine, ids in by_engine.items():
        engines.get(engine).cancel(ids)


def cancel_occurrence(occurrence_id: UUID) -> int:
    """
    Cancel the runs of the occurrence that have not ended, as :func:`cancel`; returns how many that were.

    Those of its users who have no runs yet get none: what is left of the audience is closed first, after a worker
    that is just making runs of it has committed them.
    """
    using = clock.alias()
    waiting = AudienceChunk.objects.using(using).filter(occurrence=occurrence_id, done_at=None)
    waiting.update(done_at=clock.Clock(using).now(), next_handover_at=None)
    cancelled = 0
    # By their ids, for one in a worker's hands stays open for a while.
    ids = Run.objects.using(using).open().filter(occurrence=occurrence_id).order_by("pk").values_list("pk", flat=True)
    batch = list(ids[:BATCH])
    while batch:
        cancelled += cancel(batch)
        batch = list(ids.filter(pk__gt=batch[-1])[:BATCH])
    return cancelled


def reset_activity(activity_id: int) -> Activity:
    """
    The trigger may act on the user as if it never had. Runs that are under way go on, counted no more.

    Raises Activity.DoesNotExist.
    """
    using = clock.alias()
    with transaction.atomic(using=using):
        activity = rows(Activity, using).select_for_update().get(pk=activity_id)
        activity.reset_at = max(filter(None, (clock.Clock(using).now(), activity.last_action_datetime)))
        activity.action_count = 0
        activity.last_action_datetime = None
        activity.save(using=using, update_fields=["reset_at", "action_count", "last_action_datetime"])
    return activity


def fail(run_ids: Collection[UUID], code: str, detail: str) -> None:
    """End those of the runs as failed that no worker holds; places without a step that succeeded are given back."""
    for run_id in run_ids:
        lease = Lease(clock.alias(), _WHENEVER_DUE, lambda: False)
        for run in lease.claim([run_id]):
            with suppress(LeaseLost):
                settling.end_run(lease, run, Run.Status.FAILED, code, detail)


def reopen(run_ids: Collection[UUID]) -> list[Run]:
    """
    Open those of the runs again that failed or were stopped because their trigger was disabled; returns them.

    They go on at the step that failed, with all its attempts before them. A run that had given its place back is
    admitted anew: its conditions and limits are evaluated. The caller hands the runs to their engine.
    """
    using = clock.alias()
    now = clock.Clock(using).now()
    with transaction.atomic(using=using):
        runs = Run.objects.using(using).retriable().filter(pk__in=run_ids)
        ids = list(runs.select_for_update().order_by("pk").values_list("pk", flat=True))
        failed = Step.objects.using(using).filter(
            run__in=ids, run__code="action_failed", status=Step.Status.FAILED, position=F("run__position") - 1
        )
        resumed = list(failed.values_list("run_id", flat=True))
        failed.update(status=Step.Status.WAITING, attempts=0, ended_at=None)
        Run.objects.using(using).filter(pk__in=resumed).update(position=F("position") - 1)
        reopened = Run.objects.using(using).filter(pk__in=ids)
        reopened.update(
            status=NOT_BEGUN,
            code="",
            detail="",
            decision=None,
            ended_at=None,
            due_at=None,
            losses=0,
            postponements=0,
            cancel_requested_at=None,
            next_handover_at=next_handover_at(None, now),
            handovers=0,
            generation=F("generation") + 1,
        )
    return list(reopened)
