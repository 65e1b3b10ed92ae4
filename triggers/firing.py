"""
To fire: to record that an event happened, and whom it concerns. Start reading here.

``fire`` writes an Occurrence and its Runs in the caller's transaction (the outbox); engines hear of them once it
has committed, and ``running.advance`` does the rest on a worker.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import transaction

from triggers import clock, engines, running
from triggers.audiences import NamedUsers, audience_of
from triggers.context import decode
from triggers.exceptions import NothingToStart
from triggers.models import Event, Occurrence, Run
from triggers.recording import Firing, record
from triggers.registry import event_kind, what_happens


def fire(
    event: type[Event] | str | Event,
    *,
    users: Any = None,
    audience: str | None = None,
    context: Mapping[str, Any] | None = None,
    key: str | None = None,
    occurred_at: datetime | None = None,
    delay: timedelta | None = None,
    scheduled_at: datetime | None = None,
    source: str = "",
    fired_by: Any = None,
) -> Occurrence:
    """
    Record that the event happened to the users and queue a run for each matching trigger and user.

    ``event`` is an Event class, its label or another name by which events are fired, or one configured event, which
    alone happens then. ``users`` is a user, a
    primary key, an iterable of either, or a queryset of users; in its place ``audience`` names one of
    ``audiences.audience_names()``. ``delay`` adds to the delay of each configured event, both counted from
    ``occurred_at`` (now, if not given); in its place ``scheduled_at`` is the moment from which the delay of each
    configured event is counted. What would have been due in the past is due at once.

    The records share the caller's transaction and engines hear of them after it commits: a call that is rolled
    back starts nothing. The same ``key`` from the same ``source`` with the same content returns the first
    occurrence, its ``replayed`` set, so callers may repeat a call they are unsure of.

    Raises UnknownEventType, UserInvalid, AudienceInvalid, AudienceUnknown, ContextInvalid, TimingInvalid or
    KeyInvalid, and KeyConflict when ``key`` was used with other content; nothing is written then. A user who does not
    exist is noted in ``occurrence.unknown_users``.
    """
    kind, configured = what_happens(event)
    firing = Firing(
        kind=kind,
        event=configured,
        audience=audience_of(users, audience, clock.alias()),
        context={} if context is None else context,
        key=key,
        occurred_at=occurred_at,
        delay=delay,
        scheduled_at=scheduled_at,
        source=source,
        fired_by=fired_by,
    )
    return record(firing)


#: As :func:`fire`, for async code.
afire = sync_to_async(fire)


def handle(event: Event, user_pk: Any, context: Mapping[str, Any], *, key: str | None = None) -> None:
    """
    Record a run of the event for the user, without delay or ``should_be_fired``, and advance it here and now.

    What is left of it when this returns (an action waits for its next attempt) is the engine's.
    """
    firing = Firing(
        kind=event.kind,
        event=event,
        audience=NamedUsers([user_pk], clock.alias()),
        context=context,
        key=key,
        source="handle_event" if key else "",
        is_inline=True,
    )
    occurrence = record(firing)
    running.advance(list(occurrence.runs.values_list("pk", flat=True)))


def retry(run_ids: Collection[UUID]) -> int:
    """
    Have those of the runs tried again that failed or were stopped because their trigger was disabled.

    They go on at the step that failed. Returns how many that were.
    """
    using = clock.alias()
    with transaction.atomic(using=using):
        reopened = running.reopen(run_ids)
        by_engine: dict[str, list[UUID]] = {}
        for run in reopened:
            by_engine.setdefault(run.engine, []).append(run.pk)
        for engine, ids in by_engine.items():
            transaction.on_commit(partial(engines.get(engine).start, ids), using=using, robust=True)
    return len(reopened)


def replay(run: Run, *, fired_by: Any = None) -> Occurrence:
    """
    Fire the run's event for its user again, with the same context, under today's definition of the trigger.

    The new run points at this one. Raises Event.DoesNotExist when the event was removed from its trigger, and
    NothingToStart, with the reason, when there would be no run; nothing is written then.
    """
    firing = Firing(
        kind=event_kind(run.occurrence.type),
        event=run.event,
        audience=NamedUsers([run.user_id], clock.alias()),
        context=decode(run.occurrence.context),
        occurred_at=run.occurrence.occurred_at,
        source="replay",
        fired_by=fired_by,
        replay_of=run,
    )
    with transaction.atomic(using=clock.alias()):
        occurrence = record(firing)
        if occurrence.runs.exists():
            return occurrence
        reasons = [note["detail"] for note in occurrence.matches if note["detail"]]
        raise NothingToStart("Nothing would start. " + (reasons[0] if reasons else "The user or the trigger is gone."))
