"""
The sweep: due, abandoned and undelivered work goes to its engine (again), runs wake whose events nobody has told
them of, classes of events do what is theirs to do by the clock, and what is past its time is pruned.

Each engine's worker calls it every ``TRIGGERS_SWEEP_INTERVAL`` for its own engine. It looks at
``next_handover_at`` alone, so it needs no watermark: rows of transactions that commit late are found like any.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from django.db import connections, transaction
from django.db.models import F, QuerySet

from triggers import clock, conf, engines, waking
from triggers.handover import backoff
from triggers.models import AudienceChunk, Event, Run
from triggers.pruning import prune
from triggers.registry import component_types, label

logger = logging.getLogger(__name__)

#: How many rows one round takes, and how many rounds one sweep: what is left is the next sweep's.
BATCH: Final = 1000
ROUNDS: Final = 10
#: How often a process prunes at most.
PRUNE_SECONDS: Final = 60.0

Row = TypeVar("Row", Run, AudienceChunk)


def sweep(engine_name: str) -> int:
    """Hand over what is due to the engine of that name; return how many runs and chunks that were."""
    using = clock.alias()
    now = clock.Clock(using).now()
    _sweep_events(now)
    engine = engines.get(engine_name)
    handed_over = 0
    for _ in range(ROUNDS):
        chunks = _take(AudienceChunk.objects.using(using).filter(engine=engine_name), now)
        if chunks:
            engine.expand([chunk.pk for chunk in chunks])
        runs = _take(Run.objects.using(using).filter(engine=engine_name), now)
        for run_ids in _messages([run for run in runs if not _is_early(run, now)]):
            engine.start(run_ids)
        if early := [run.pk for run in runs if _is_early(run, now)]:
            waking.look_for_events(early)
        handed_over += len(chunks) + len(runs)
        if len(chunks) < BATCH and len(runs) < BATCH:
            break
    waking.catch_up(now - conf.handover_grace())
    _prune_sometimes()
    return handed_over


def _is_early(run: Run, now: datetime) -> bool:
    """The run waits for an event still, and nobody has looked since whether it came before the wait was seen."""
    return run.is_awaiting and run.due_at is not None and run.due_at > now


def _sweep_events(now: datetime) -> None:
    """What classes of events do every so often; one that raises concerns itself only."""
    for model in component_types(Event):
        if model.sweep.__func__ is not Event.sweep.__func__:  # type: ignore[attr-defined]
            try:
                model.sweep(now)
            except Exception:
                logger.exception("The sweep of %s failed", label(model))


def _prune_sometimes() -> None:
    """A batch a minute in each process keeps up with what a worker does in that time."""
    global _next_pruning
    if time.monotonic() >= _next_pruning:
        _next_pruning = time.monotonic() + PRUNE_SECONDS
        next(prune(), None)


_next_pruning = 0.0


def _take(rows: QuerySet[Row], now: datetime) -> Sequence[Row]:
    """Rows to hand over now; other sweeps find them again only after a pause that grows."""
    due = rows.filter(next_handover_at__lte=now).order_by("next_handover_at")
    with transaction.atomic(using=rows.db):
        if connections[rows.db].features.has_select_for_update_skip_locked:
            due = due.select_for_update(skip_locked=True)
        taken = list(due[:BATCH])
        alike: dict[int, list[UUID]] = defaultdict(list)
        for row in taken:
            alike[row.handovers].append(row.pk)
        for handovers, row_ids in alike.items():
            rows.filter(pk__in=row_ids).update(next_handover_at=now + backoff(handovers), handovers=F("handovers") + 1)
    return taken


def _messages(runs: Sequence[Run]) -> list[list[UUID]]:
    """Runs of one trigger travel together; one whose worker was lost travels alone, lest it takes others with it."""
    by_trigger: dict[int, list[UUID]] = defaultdict(list)
    messages: list[list[UUID]] = []
    for run in runs:
        if run.status == Run.Status.RUNNING or run.losses:
            messages.append([run.pk])
        else:
            by_trigger[run.trigger_id].append(run.pk)
    size = conf.chunk_size()
    for run_ids in by_trigger.values():
        messages += [run_ids[start : start + size] for start in range(0, len(run_ids), size)]
    return messages
