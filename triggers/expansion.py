"""
From an audience to runs: at once for users who were named, on a worker for querysets and long lists.

Querysets and long lists are read where the event is fired, in the caller's transaction, and kept as chunks of
keys; ``expand`` turns each chunk into runs exactly once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from triggers import clock, engines
from triggers.audiences import NamedUsers, QueriedUsers, stored_key, user_key
from triggers.context import decode
from triggers.evaluation import excluded, guarded, passing, users
from triggers.handover import next_handover_at
from triggers.loading import Definition, load, rows
from triggers.models import AudienceChunk, Event, Occurrence, Run


@dataclass(frozen=True)
class Match:
    """A configured event that happened: whose runs are to be written, and when they are due."""

    occurrence: Occurrence
    event: Event
    definition: Definition
    due_at: datetime | None
    now: datetime

    @property
    def engine(self) -> str:
        return engines.name_for(self.definition.trigger)


def named_runs(match: Match, audience: NamedUsers, *, using: str, evaluate: bool) -> list[Run]:
    """A run for each user who exists, not yet written; those whom a queryset condition keeps out are skipped."""
    runs = [
        _pending_run(match.occurrence, match.event, match.engine, key, match.due_at, match.now)
        for key in audience.known
    ]
    if not evaluate:
        return runs
    decisions = excluded(match.definition, audience.known, using)
    undecided = set(_unproven_users(match, using, decisions)) if decisions else set()
    for run in runs:
        decision = decisions.get(run.user_id)
        if decision and run.user_id not in undecided:
            run.status = Run.Status.FAILED if decision.code == "condition_error" else Run.Status.SKIPPED
            run.code = decision.code
            run.detail = decision.detail
            run.decision = decision.as_json()
            run.ended_at = match.now
            run.next_handover_at = None
    return runs


def write_chunks(match: Match, audience: NamedUsers | QueriedUsers, using: str) -> list[UUID]:
    """The keys of the audience whom the queryset conditions let through, as chunks; the ids of those."""
    chunk_ids: list[UUID] = []
    for keys in _in_chunks(_passing_keys(match, audience, using)):
        chunk = AudienceChunk(
            occurrence=match.occurrence,
            event_id=match.event.pk,
            trigger_id=match.event.trigger_id,
            engine=match.engine,
            user_keys=[stored_key(key) for key in keys],
            due_at=match.due_at,
            next_handover_at=next_handover_at(None, match.now),
        )
        chunk.save(using=using, force_insert=True)
        chunk_ids.append(chunk.pk)
    return chunk_ids


def expand(chunk_id: UUID) -> int:
    """
    Turn the chunk into runs, in one transaction, and hand them to their engine once it has committed.

    Returns how many runs there are now; 0 if the chunk was done before or is in another worker's hands.
    """
    using = clock.alias()
    now = clock.Clock(using).now()
    with transaction.atomic(using=using):
        waiting = AudienceChunk.objects.using(using).filter(pk=chunk_id, done_at=None)
        # The update comes first: it locks the row on every database, so that the chunk is expanded once.
        if not waiting.update(done_at=now, next_handover_at=None):
            return 0
        chunk = AudienceChunk.objects.using(using).select_related("occurrence").get(pk=chunk_id)
        found, _missing = load(rows(Event, using).filter(pk=chunk.event_id))
        if not found:
            return 0
        event = found[0]
        keys = [user_key(key) for key in chunk.user_keys]
        known = users(using).filter(pk__in=keys).values_list("pk", flat=True)
        runs = [_pending_run(chunk.occurrence, event, chunk.engine, key, chunk.due_at, now) for key in set(known)]
        Run.objects.using(using).bulk_create(runs, ignore_conflicts=True)
        AudienceChunk.objects.using(using).filter(pk=chunk_id).update(user_keys=[])
        announce(event, runs, chunk.occurrence)
        engine = engines.get(chunk.engine)
        run_ids = [run.pk for run in runs]
        transaction.on_commit(partial(engine.start, run_ids, chunk.due_at), using=using, robust=True)
    return len(runs)


def announce(event: Event, runs: Sequence[Run], occurrence: Occurrence) -> None:
    """Send ``Event.fired`` for each run, if anybody listens."""
    if runs and Event.fired.has_listeners(type(event)):
        context = decode(occurrence.context)
        for run in runs:
            Event.fired.send_robust(type(event), event=event, user_pk=run.user_id, **context)


def _pending_run(
    occurrence: Occurrence, event: Event, engine: str, key: Any, due_at: datetime | None, now: datetime
) -> Run:
    return Run(
        occurrence=occurrence,
        event_id=event.pk,
        trigger_id=event.trigger_id,
        trigger_name=event.trigger.name,
        user_id=key,
        engine=engine,
        due_at=due_at,
        next_handover_at=next_handover_at(due_at, now),
    )


def _passing_keys(match: Match, audience: NamedUsers | QueriedUsers, using: str) -> Iterator[Any]:
    for candidates in _candidates(audience, using):
        let_through = guarded(partial(passing, match.definition, candidates), using)
        yield from _keys(let_through)
        if match.definition.conditions:
            yield from _keys(candidates.filter(pk__in=_unproven_users(match, using)))


def _candidates(audience: NamedUsers | QueriedUsers, using: str) -> Iterator[QuerySet[Any]]:
    if isinstance(audience, NamedUsers):
        for keys in _in_chunks(iter(audience.keys)):
            yield users(using).filter(pk__in=keys)
        return
    query = audience.queryset.query
    if query.is_sliced or query.combinator or query.distinct:
        # Such a queryset takes no further filter.
        yield users(using).filter(pk__in=audience.queryset.values("pk"))
    else:
        yield audience.queryset


def _keys(candidates: QuerySet[Any]) -> Iterator[Any]:
    return candidates.order_by().values_list("pk", flat=True).iterator(chunk_size=AudienceChunk.SIZE)


def _unproven_users(match: Match, using: str, among: Iterable[Any] | None = None) -> QuerySet[Any, Any]:
    """
    Users with a run of the trigger that is counted already and may yet give its place back.

    Whether a limit holds for them is the worker's to decide, under the lock.
    """
    runs = Run.objects.using(using).unproven().filter(trigger_id=match.event.trigger_id)
    if among is not None:
        runs = runs.filter(user_id__in=list(among))
    return runs.values_list("user_id", flat=True)


def _in_chunks(keys: Iterator[Any]) -> Iterator[list[Any]]:
    while chunk := list(islice(keys, AudienceChunk.SIZE)):
        yield chunk
