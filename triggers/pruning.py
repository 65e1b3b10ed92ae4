"""
Forgetting what happened long ago: ended runs with their steps, occurrences that have no runs left, and the definitions
that no run keeps to any more.

The Activity ledger is never pruned: limits read it. A dedupe key is forgotten with its occurrence.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connections, transaction
from django.db.models import Exists, OuterRef, QuerySet

from triggers import clock, conf
from triggers.ids import first_uuid7
from triggers.models import AudienceChunk, Occurrence, Run, Snapshot, Step
from triggers.snapshots import USED_TO

BATCH: Final = 1000


def prune(retention: timedelta | None = None) -> Iterator[int]:
    """
    Delete what ended longer than ``retention`` ago (the setting TRIGGERS_RETENTION if not given), batch by batch.

    Yields how many rows each batch deleted. Nothing is deleted where the retention is None.
    """
    retention = conf.retention() if retention is None else retention
    if retention is None:
        return
    using = clock.alias()
    before = clock.Clock(using).now() - retention
    while deleted := _delete_runs(before, using):
        yield deleted
    while deleted := _delete_occurrences(before, using):
        yield deleted
    _delete_snapshots(before, using)


def prunable(before: datetime, using: str) -> tuple[QuerySet[Run], QuerySet[Occurrence]]:
    """The runs that ended before that moment, and the occurrences older than it that have no run or chunk left."""
    # Ids begin with the time they were made: the primary key serves as the index.
    oldest = first_uuid7(before)
    runs = Run.objects.using(using).filter(pk__lt=oldest, ended_at__lt=before)
    occurrences = (
        Occurrence.objects.using(using)
        .filter(~Exists(Run.objects.filter(occurrence=OuterRef("pk"))), pk__lt=oldest)
        .filter(~Exists(AudienceChunk.objects.filter(occurrence=OuterRef("pk"), done_at=None)))
    )
    return runs, occurrences


def _delete_runs(before: datetime, using: str) -> int:
    runs, _ = prunable(before, using)
    with transaction.atomic(using=using):
        ids = _locked_ids(runs, using)
        Step.objects.using(using).filter(run__in=ids).delete()
        Run.objects.using(using).filter(pk__in=ids).delete()
    return len(ids)


def _delete_occurrences(before: datetime, using: str) -> int:
    _, occurrences = prunable(before, using)
    with transaction.atomic(using=using):
        ids = _locked_ids(occurrences, using)
        Occurrence.objects.using(using).filter(pk__in=ids).delete()
    return len(ids)


def _delete_snapshots(before: datetime, using: str) -> None:
    """Those that no run refers to. One that was used lately may be about to be used again."""
    lately = clock.Clock(using).now() - 2 * USED_TO
    unused = Snapshot.objects.using(using).filter(used_at__lt=min(before, lately))
    unused.filter(~Exists(Run.objects.filter(snapshot=OuterRef("pk")))).delete()


def _locked_ids(rows: QuerySet[Run] | QuerySet[Occurrence], using: str) -> list[UUID]:
    """The first ids; other processes that prune take the next ones."""
    batch = rows.order_by("pk")
    if connections[using].features.has_select_for_update_skip_locked:
        batch = batch.select_for_update(skip_locked=True, of=("self",))
    return list(batch.values_list("pk", flat=True)[:BATCH])
