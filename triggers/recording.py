"""
To record: one transaction that writes an Occurrence and its Runs, and the hook that tells the engines when it has
committed.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from triggers import clock, conf, engines, statements, waking
from triggers.audiences import Audience, NamedUsers
from triggers.context import canonical, encode
from triggers.evaluation import guarded, is_outage
from triggers.exceptions import KeyConflict, KeyInvalid, TimingInvalid
from triggers.execution import current_step
from triggers.expansion import Match, announce, condition_raised, named_runs, write_chunks, write_waiting
from triggers.kinds import EventKind
from triggers.loading import load_definitions, of_their_classes
from triggers.models import AudienceChunk, Event, Occurrence, Run, Trigger
from triggers.registry import label
from triggers.schemas import check_context

logger = logging.getLogger(__name__)

MAX_KEY_LENGTH: Final = 255
#: The code of a configured event that happened, in ``Occurrence.matches``.
MATCHED: Final = "matched"


@dataclass(frozen=True, kw_only=True)
class Firing:
    """One call of ``fire``, checked: what is to be recorded."""

    kind: EventKind
    audience: Audience
    context: Mapping[str, Any]
    event: Event | None = None
    key: str | None = None
    occurred_at: datetime | None = None
    #: At most one of the two.
    delay: timedelta | None = None
    scheduled_at: datetime | None = None
    source: str = ""
    fired_by: Any = None
    replay_of: Run | None = None
    #: The run is performed by the caller: neither ``should_be_fired`` nor delays nor engines are asked.
    is_inline: bool = False
    now: datetime = field(default_factory=timezone.now)
    #: The context as it is written.
    stored_context: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stored_context", encode(self.context))
        if self.replay_of is None:  # what was accepted once is replayed, though the schema may have changed
            check_context(self.kind, self.stored_context)
        if self.key is not None and not 0 < len(self.key) <= MAX_KEY_LENGTH:
            raise KeyInvalid(f"The key must be a text of 1 to {MAX_KEY_LENGTH} characters.")
        if self.key is not None and "\x00" in self.key:
            raise KeyInvalid("The key must not hold the character U+0000.")
        _check_moment(self.occurred_at, "occurred_at")
        _check_moment(self.scheduled_at, "scheduled_at")
        if self.delay is None:
            return
        if self.scheduled_at is not None:
            raise TimingInvalid("Give either a delay or scheduled_at, not both.", "scheduled_at")
        if self.delay < timedelta():
            raise TimingInvalid("The delay must not be negative.", "delay")
        try:
            _ = self._begins_at
        except OverflowError:
            raise TimingInvalid("The delay leads beyond the last date there is.", "delay") from None

    @property
    def happened_at(self) -> datetime:
        return self.occurred_at or self.now

    @property
    def extra_delay(self) -> timedelta:
        """The time from the event to the moment from which the configured events' own delays are counted."""
        return max(self._begins_at - self.happened_at, timedelta())

    @property
    def _begins_at(self) -> datetime:
        return self.scheduled_at or self.happened_at + (self.delay or timedelta())

    @property
    def dedupe_key(self) -> str | None:
        if self.key is None:
            return None
        return hashlib.sha256(canonical([self.source, self.key]).encode()).hexdigest()

    @property
    def fingerprint(self) -> str:
        """The same for the same content, whoever sends it: of two firings under one key, the second must match."""
        content = {
            "type": self.kind.name,
            "event": self.event.pk if self.event else None,
            "users": self.audience.as_json(),
            "context": self.stored_context,
            "occurred_at": self.occurred_at and self.occurred_at.timestamp(),
            "delay": self.delay.total_seconds() if self.delay else 0,
            "scheduled_at": self.scheduled_at and self.scheduled_at.timestamp(),
        }
        return hashlib.sha256(canonical(content).encode()).hexdigest()

    def due_at(self, event: Event) -> datetime | None:
        """When the event's runs may start; None is at once."""
        if self.is_inline:
            return None
        due_at = self._begins_at + event.delay
        return due_at if due_at > self.now else None


def _check_moment(moment: datetime | None, argument: str) -> None:
    if moment is None:
        return
    if moment.tzinfo is None:
        raise TimingInvalid(f"{argument} must have a time zone.", argument)
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise TimingInvalid(f"{argument} is beyond the dates there are in UTC.", argument) from None


def record(firing: Firing) -> Occurrence:
    """Write what happened, in the caller's transaction; or answer what was written under the same key before."""
    using = clock.alias()
    try:
        return _record(firing, using)
    except IntegrityError:
        first = None
        if firing.key is not None:
            first = Occurrence.objects.using(using).filter(dedupe_key=firing.dedupe_key).first()
        if first is None:
            raise
    if first.fingerprint != firing.fingerprint:
        raise KeyConflict(f"The key “{firing.key}” was used on {first.recorded_at.isoformat()} for other content.")
    first.replayed = True
    return first


def _record(firing: Firing, using: str) -> Occurrence:
    """
    Write what happened. Raises IntegrityError under a key that was used before: a twin in another transaction is waited
    for by the unique index.
    """
    # Before the transaction: in one of its own each question to a component would need a savepoint.
    occurrence = new_occurrence(firing)
    found = [] if occurrence.code else match_events(firing, occurrence, using)
    matches = [match for match in found if match.note["code"] == MATCHED]
    named = _few_named_users(firing)
    runs: list[Run] = []
    if named:
        for match in matches:
            runs += named_runs(match, named, using=using, evaluate=not firing.is_inline)
        for run in runs:
            run.replay_of = firing.replay_of
        occurrence.unknown_users = [str(key) for key in named.unknown]
    with transaction.atomic(using=using):
        statements.insert([occurrence], using)  # the first of all that is written
        # Before the new runs are there, which can only wait for what comes later.
        waiting = [] if occurrence.code or firing.replay_of else _concern_waiting(firing, occurrence, named, using)
        statements.insert(runs, using)
        waking.expect((type_ for match in matches for type_ in waking.types_awaited_by(match.definition)), using)
        for match in matches:
            announce(match.event, [run for run in runs if run.event_id == match.event.pk], occurrence)
        chunk_ids = waiting if named else waiting + _write_audience(matches, firing.audience, occurrence, using)
        if not firing.is_inline:
            hand_over = partial(_hand_over, [run for run in runs if run.is_open], matches, chunk_ids)
            transaction.on_commit(hand_over, using=using, robust=True)
    return occurrence


def _few_named_users(firing: Firing) -> NamedUsers | None:
    """The users who become runs at once; None for an audience that a worker takes apart."""
    named = firing.audience
    return named if isinstance(named, NamedUsers) and len(named.keys) <= AudienceChunk.SIZE else None


def new_occurrence(firing: Firing) -> Occurrence:
    """The occurrence, not yet written; with a code if it may start nothing."""
    cause = current_step()
    occurrence = Occurrence(
        type=firing.kind.name,
        event_id=firing.event.pk if firing.event else None,
        context=firing.stored_context,
        occurred_at=firing.happened_at,
        delay=firing.extra_delay,
        source=firing.source,
        fired_by=firing.fired_by,
        cause_id=cause.run_id if cause else None,
        depth=cause.depth + 1 if cause else 0,
    )
    if firing.key is not None:
        occurrence.key = firing.key
        occurrence.dedupe_key = firing.dedupe_key
        occurrence.fingerprint = firing.fingerprint
    if occurrence.depth > conf.max_depth():
        occurrence.code = "depth_exceeded"
        occurrence.detail = (
            f"Events fired events {occurrence.depth} levels deep; TRIGGERS_MAX_DEPTH allows {conf.max_depth()}. "
            "Triggers that start each other are the usual reason."
        )
        logger.warning("Occurrence %s of %s starts nothing: depth_exceeded", occurrence.pk, occurrence.type)
    return occurrence


def match_events(firing: Firing, occurrence: Occurrence, using: str) -> list[Match]:
    """The configured events that are meant; each is noted in ``occurrence.matches``, with whether it happened."""
    triggers: list[Trigger] | None = None
    if firing.event is not None:
        events = [firing.event]
    else:
        bases = statements.select(firing.kind.model, using, firing.kind.where, related="trigger")
        bases.sort(key=lambda base: base.pk)
        triggers = list({base.trigger_id: base.trigger for base in bases}.values())
        events, _missing = of_their_classes(firing.kind.model, bases, using)
    definitions = load_definitions({event.trigger_id for event in events}, using, triggers, to_fire=True)
    matches = []
    for event in events:
        if event.trigger_id not in definitions:  # its class is not installed
            continue
        definition = definitions[event.trigger_id]
        event.trigger = definition.trigger
        code, detail = definition.obstacle or _beyond_all_dates(event, firing) or _concerns(event, firing, using)
        note = {
            "event": event.pk,
            "trigger": definition.trigger.pk,
            "trigger_name": definition.trigger.name,
            "code": code,
            "detail": detail,
        }
        occurrence.matches.append(note)
        due_at = firing.due_at(event) if code == MATCHED else None
        matches.append(Match(occurrence, event, definition, note, due_at, firing.now))
    return matches


def _beyond_all_dates(event: Event, firing: Firing) -> tuple[str, str] | None:
    try:
        firing.due_at(event)
    except OverflowError:
        return "delay_too_long", "The delay of the event leads beyond the last date there is."
    return None


def _concerns(event: Event, firing: Firing, using: str) -> tuple[str, str]:
    """Whether the configured event should be fired, as a code and a sentence."""
    if firing.is_inline or type(event).should_be_fired is Event.should_be_fired:
        return MATCHED, ""
    try:
        concerned = guarded(lambda: event.should_be_fired(**firing.context), using)
    except Exception as error:
        if is_outage(error, using):
            raise
        logger.warning("should_be_fired of event %s raised", event.pk, exc_info=error)
        return "event_error", f"{label(event)}.should_be_fired raised {type(error).__name__}."
    return (MATCHED, "") if concerned else ("event_not_concerned", f"{label(event)}.should_be_fired said no.")


def _write_audience(
    matches: Sequence[Match], audience: Audience, occurrence: Occurrence, using: str
) -> list[tuple[str, UUID]]:
    """The chunks written, each with its engine. A condition that raises concerns its own trigger only."""
    written: list[tuple[str, UUID]] = []
    for match in matches:
        try:
            with transaction.atomic(using=using):
                written += [(match.engine, chunk_id) for chunk_id in write_chunks(match, audience, using)]
        except Exception as error:
            if is_outage(error, using):
                raise
            logger.warning("The audience of event %s could not be read", match.event.pk, exc_info=error)
            code, detail = condition_raised(error)
            match.note.update(code=code, detail=detail)
            occurrence.save(using=using, update_fields=["matches"])
    return written


def _concern_waiting(
    firing: Firing, occurrence: Occurrence, named: NamedUsers | None, using: str
) -> list[tuple[str, UUID]]:
    """See that runs which wait for the event hear of it; the chunks of users that are to be looked through for them."""
    if named is not None:
        if waking.note(occurrence, named.known, using):
            transaction.on_commit(partial(waking.look_for_runs, occurrence.pk), using=using, robust=True)
        return []
    try:
        return guarded(lambda: write_waiting(occurrence, firing.audience, firing.now, using), using)
    except Exception as error:
        if is_outage(error, using):
            raise
        logger.warning("The audience of occurrence %s could not be read", occurrence.pk, exc_info=error)
        return []


def _hand_over(runs: Sequence[Run], matches: Sequence[Match], chunk_ids: Sequence[tuple[str, UUID]]) -> None:
    for match in matches:
        run_ids = [run.pk for run in runs if run.event_id == match.event.pk]
        if run_ids:
            engines.get(match.engine).start(run_ids, match.due_at)
    by_engine: dict[str, list[UUID]] = {}
    for engine, chunk_id in chunk_ids:
        by_engine.setdefault(engine, []).append(chunk_id)
    for engine, ids in by_engine.items():
        engines.get(engine).expand(ids)
