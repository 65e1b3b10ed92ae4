"""
From an audience to runs: at once for users who were named, on a worker for querysets and long lists.

Querysets and long lists are read where the event is fired, in the caller's transaction, and kept as chunks of
keys; ``expand`` turns each chunk into runs exactly once. A named audience is read on the worker, part by part, by a
cursor that is saved with the runs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from triggers import clock, engines, waking
from triggers.audiences import (
    Audience,
    NamedAudience,
    NamedUsers,
    QueriedUsers,
    filterable,
    keys_in,
    stored_key,
    user_key,
)
from triggers.context import decode
from triggers.evaluation import excluded, guarded, is_outage, let_in, passing, users
from triggers.exceptions import AudienceError, AudienceUnknown
from triggers.handover import backoff, next_handover_at
from triggers.loading import Definition, load, load_definitions, rows
from triggers.models import AudienceChunk, Event, Occurrence, Run

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Match:
    """A configured event of the type that was fired: if it happened, runs are to be written, due at this moment."""

    occurrence: Occurrence
    event: Event
    definition: Definition
    #: Its entry in ``Occurrence.matches``.
    note: dict[str, Any]
    due_at: datetime | None
    now: datetime

    @property
    def engine(self) -> str:
        return engines.name_for(self.definition.trigger)


def named_runs(match: Match, audience: NamedUsers, *, using: str, evaluate: bool) -> list[Run]:
    """A run for each user who exists, not yet written; those whom a queryset condition keeps out are skipped."""
    admitted = let_in(match.definition, audience.keys, using) if evaluate else set()
    audience.prove(admitted)
    runs = [
        _pending_run(match.occurrence, match.event, match.engine, key, match.due_at, match.now)
        for key in audience.known
    ]
    if not evaluate:
        return runs
    decisions = excluded(match.definition, audience.known, using, admitted)
    undecided = set(_unproven_users(match.event.trigger_id, using, decisions)) if decisions else set()
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


def write_chunks(match: Match, audience: Audience, using: str) -> list[UUID]:
    """
    The keys of the audience whom the queryset conditions let through, as chunks; the ids of those.

    A named audience is one chunk, which the worker reads.
    """
    if isinstance(audience, NamedAudience):
        return [_write_chunk(match, using, audience=audience.name)]
    return [
        _write_chunk(match, using, user_keys=[stored_key(key) for key in keys])
        for keys in _in_chunks(_passing_keys(match, audience, using))
    ]


def write_waiting(occurrence: Occurrence, audience: Audience, now: datetime, using: str) -> list[tuple[str, UUID]]:
    """
    As :func:`write_chunks`, for runs that wait for the event: those users who have a run that is not over.

    The ids, each with the engine that is to expand it; nothing where no run is known to wait for the type ever.
    """
    if not waking.is_awaited(occurrence.type, using):
        return []
    whom: list[dict[str, Any]] = []
    if isinstance(audience, NamedAudience):
        if Run.objects.using(using).filter(ended_at=None).exists():
            whom.append({"audience": audience.name})
    else:
        open_runs = waking.has_open_run()
        keys = (key for candidates in _candidates(audience, using) for key in _keys(candidates.filter(open_runs)))
        whom += [{"user_keys": [stored_key(key) for key in chunk]} for chunk in _in_chunks(keys)]
    chunks = [
        AudienceChunk(
            occurrence=occurrence,
            engine=engines.default_name(),
            next_handover_at=next_handover_at(None, now),
            **each,
        )
        for each in whom
    ]
    AudienceChunk.objects.using(using).bulk_create(chunks)
    return [(chunk.engine, chunk.pk) for chunk in chunks]


def _write_chunk(match: Match, using: str, **whom: Any) -> UUID:
    chunk = AudienceChunk(
        occurrence=match.occurrence,
        event_id=match.event.pk,
        trigger_id=match.event.trigger_id,
        engine=match.engine,
        due_at=match.due_at,
        next_handover_at=next_handover_at(None, match.now),
        **whom,
    )
    chunk.save(using=using, force_insert=True)
    return chunk.pk


def expand(chunk_id: UUID) -> bool:
    """
    Turn the chunk, or the next part of its named audience, into runs, in one transaction; hand them to their engine
    once it has committed.

    Returns whether there is more of it: the caller hands it over again then, and the sweep does if that is lost. A
    chunk that was done before is left alone.
    """
    using = clock.alias()
    now = clock.Clock(using).now()
    with transaction.atomic(using=using):
        waiting = AudienceChunk.objects.using(using).filter(pk=chunk_id, done_at=None)
        # The update comes first: it locks the row on every database, so that each part is expanded once.
        if not waiting.update(done_at=now, next_handover_at=None):
            return False
        chunk = AudienceChunk.objects.using(using).select_related("occurrence").get(pk=chunk_id)
        cursor = (_expand_waiting if chunk.event_id is None else _expand_runs)(chunk, now, using)
        changes: dict[str, Any] = {"user_keys": [], "cursor": cursor}
        if cursor is not None:
            # The pause grows with the times that the sweep had to help, as for runs.
            changes |= {"done_at": None, "next_handover_at": now + backoff(chunk.handovers)}
        AudienceChunk.objects.using(using).filter(pk=chunk_id).update(**changes)
    return cursor is not None


def _expand_runs(chunk: AudienceChunk, now: datetime, using: str) -> Any:
    """Make the runs, which their engine is told of after the commit; the cursor behind them, None at the end."""
    found, _missing = load(rows(Event, using).filter(pk=chunk.event_id or 0))
    if not found:
        return None
    event = found[0]
    keys, cursor = _next_of_audience(chunk, using) if chunk.audience else (_known_keys(chunk, using), None)
    runs = [_pending_run(chunk.occurrence, event, chunk.engine, key, chunk.due_at, now) for key in keys]
    Run.objects.using(using).bulk_create(runs, ignore_conflicts=True)
    announce(event, runs, chunk.occurrence)
    engine = engines.get(chunk.engine)
    run_ids = [run.pk for run in runs]
    transaction.on_commit(partial(engine.start, run_ids, chunk.due_at), using=using, robust=True)
    return cursor


def _expand_waiting(chunk: AudienceChunk, now: datetime, using: str) -> Any:
    """Write to whom it happened, and look after the commit which runs waited for it; the cursor, as above."""
    keys, cursor = [user_key(key) for key in chunk.user_keys], None
    if chunk.audience:
        after = None if chunk.cursor is None else user_key(chunk.cursor)
        try:
            keys = keys_in(chunk.audience, using, limit=AudienceChunk.SIZE, after=after, where=waking.has_open_run())
        except (AudienceUnknown, AudienceError):
            return None
        cursor = stored_key(keys[-1]) if len(keys) == AudienceChunk.SIZE else None
    if waking.note(chunk.occurrence, keys, using, chunk.recorded_at):
        transaction.on_commit(partial(waking.look_for_runs, chunk.occurrence_id), using=using, robust=True)
    return cursor


def _known_keys(chunk: AudienceChunk, using: str) -> list[Any]:
    keys = [user_key(key) for key in chunk.user_keys]
    known = set(users(using).filter(pk__in=keys).values_list("pk", flat=True))
    return [key for key in keys if key in known]


def _next_of_audience(chunk: AudienceChunk, using: str) -> tuple[list[Any], Any]:
    """
    Those of the audience's next users whom the queryset conditions let through, and the last key that was read; None
    for it ends the audience, also where it cannot be read any further: the occurrence says why then.
    """
    trigger_id = chunk.trigger_id or 0
    definition = load_definitions({trigger_id}, using).get(trigger_id)
    if definition is None:
        _note(chunk, "component_missing", "The class of the trigger is not installed.", using)
        return [], None
    try:
        after = None if chunk.cursor is None else user_key(chunk.cursor)
        keys = keys_in(chunk.audience, using, limit=AudienceChunk.SIZE, after=after)
        let_through = set(_let_through(definition, users(using).filter(pk__in=keys), using))
    except (AudienceUnknown, AudienceError) as error:
        _note(chunk, AudienceError.code, str(error), using)
        return [], None
    except Exception as error:
        if is_outage(error, using):
            raise
        logger.warning("The audience of event %s could not be filtered", chunk.event_id, exc_info=error)
        _note(chunk, *condition_raised(error), using)
        return [], None
    cursor = stored_key(keys[-1]) if len(keys) == AudienceChunk.SIZE else None
    return [key for key in keys if key in let_through], cursor


def condition_raised(error: Exception) -> tuple[str, str]:
    """What is noted of a configured event whose audience a condition did not filter, as a code and a sentence."""
    return "condition_error", f"A condition raised {type(error).__name__} when the audience was read."


def _note(chunk: AudienceChunk, code: str, detail: str, using: str) -> None:
    """Say of the configured event in the occurrence why no further runs come of it."""
    # Locked: chunks of other events of the occurrence may be noting theirs.
    occurrence = Occurrence.objects.using(using).select_for_update().get(pk=chunk.occurrence_id)
    for note in occurrence.matches:
        if note["event"] == chunk.event_id:
            note |= {"code": code, "detail": detail}
    occurrence.save(using=using, update_fields=["matches"])


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
        yield from _let_through(match.definition, candidates, using)


def _let_through(definition: Definition, candidates: QuerySet[Any], using: str) -> Iterator[Any]:
    """The keys of those whom the conditions let through, and of those for whom only the worker can tell."""
    yield from _keys(guarded(partial(passing, definition, candidates), using))
    if definition.conditions:
        yield from _keys(candidates.filter(pk__in=_unproven_users(definition.trigger.pk, using)))


def _candidates(audience: NamedUsers | QueriedUsers, using: str) -> Iterator[QuerySet[Any]]:
    if isinstance(audience, NamedUsers):
        for keys in _in_chunks(iter(audience.keys)):
            yield users(using).filter(pk__in=keys)
        return
    yield filterable(audience.queryset, using)


def _keys(candidates: QuerySet[Any]) -> Iterator[Any]:
    return candidates.order_by().values_list("pk", flat=True).iterator(chunk_size=AudienceChunk.SIZE)


def _unproven_users(trigger_id: int, using: str, among: Iterable[Any] | None = None) -> QuerySet[Any, Any]:
    """
    Users with a run of the trigger that is counted already and may yet give its place back.

    Whether a limit holds for them is the worker's to decide, under the lock.
    """
    runs = Run.objects.using(using).unproven().filter(trigger_id=trigger_id)
    if among is not None:
        runs = runs.filter(user_id__in=list(among))
    return runs.values_list("user_id", flat=True)


def _in_chunks(keys: Iterator[Any]) -> Iterator[list[Any]]:
    while chunk := list(islice(keys, AudienceChunk.SIZE)):
        yield chunk
