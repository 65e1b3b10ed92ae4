"""What people do to runs: cancel them, have them tried again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Value, When

from triggers import clock
from triggers.handover import next_handover_at
from triggers.models import Run, Step
from triggers.running.advancing import advance

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
    return requested


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
            status=Case(When(reserved_at=None, then=Value(Run.Status.PENDING)), default=Value(Run.Status.WAITING)),
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
        )
    return list(reopened)
