"""
Waking: an event has come that a run waits for.

Of two transactions, one that records the event and one that has the run wait, neither may see the other. So each
looks for the other's rows once it has committed, and whichever commits last finds them. For that it must be known
afterwards to whom an event happened: it is written for users who have a run that is not over, since only such a run
can come to wait for what was recorded before. Where a process ends before it has looked, the sweep does.

What the looks decide by is in the rows: an event counts that was recorded from ``awaited_since`` on and before
``due_at``. So it makes no difference who looks, or how often.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from triggers import clock, engines, statements
from triggers.handover import next_handover_at
from triggers.loading import Definition
from triggers.models import AwaitedType, Happening, Occurrence, Run, Step
from triggers.registry import event_kind

logger = logging.getLogger(__name__)

#: How many happenings are looked at together.
BATCH: Final = 1000


def has_open_run() -> Exists:
    """Of a user: there is a run that is not over."""
    return Exists(Run.objects.filter(user=OuterRef("pk"), ended_at=None))


def is_awaited(type_: str, using: str) -> bool:
    """Whether any run has waited for events of the type, or was started by a trigger that says it will."""
    return AwaitedType.objects.using(using).filter(pk=type_).exists()


def expect(types: Iterable[str], using: str) -> None:
    """From the commit on it is written, for large audiences too, to whom events of these types happen."""
    awaited = [AwaitedType(type=type_) for type_ in sorted(set(types))]
    if awaited:
        AwaitedType.objects.using(using).bulk_create(awaited, ignore_conflicts=True)


def types_awaited_by(definition: Definition) -> set[str]:
    """The names of the types that the actions say they may wait for."""
    try:
        return {event_kind(named).name for action in definition.actions for named in action.awaited_types()}
    except Exception as error:
        logger.warning("An action of trigger %s cannot say what it waits for", definition.trigger.pk, exc_info=error)
        return set()


def note(occurrence: Occurrence, keys: Collection[Any], using: str, recorded_at: datetime | None = None) -> bool:
    """
    Write, for those of the users who have a run that is not over, that it happened to them; whether there are any.

    Part of the transaction that records the event. The caller has ``look_for_runs`` called once it has committed.
    """
    affected = sorted(statements.distinct(Run, using, "user", {"user": keys, "ended_at": None}))
    moment = {} if recorded_at is None else {"recorded_at": recorded_at}
    happenings = [
        Happening(occurrence_id=occurrence.pk, user_id=key, type=occurrence.type, **moment) for key in affected
    ]
    Happening.objects.using(using).bulk_create(happenings, ignore_conflicts=True)
    return bool(happenings)


def look_for_runs(occurrence_id: UUID) -> None:
    """Wake the runs that wait for the occurrence, of those users for whom that was not looked up yet."""
    using = clock.alias()
    new = Happening.objects.using(using).filter(occurrence=occurrence_id, looked_at=None)
    _look(new, using)


def catch_up(before: datetime) -> None:
    """As :func:`look_for_runs`, for a batch of what was recorded before that moment and that nobody looked at."""
    using = clock.alias()
    _look(Happening.objects.using(using).filter(looked_at=None, recorded_at__lt=before), using, once=True)


def look_for_events(run_ids: Sequence[UUID], *, tell: bool = True) -> None:
    """
    Wake those of the runs that wait for an event which was recorded already; the others are due when their time is up.

    With ``tell`` their engines hear of it.
    """
    using = clock.alias()
    waiting = _waiting(using).filter(pk__in=run_ids)
    with transaction.atomic(using=using):
        runs = {run.pk: run for run in waiting.select_for_update().order_by("pk")}
        found = waiting.filter(Exists(_counting(OuterRef("user_id"), OuterRef("awaited_type"), _in_time_of_outer())))
        woken: dict[UUID, list[Run]] = defaultdict(list)
        for run_id in found.filter(pk__in=runs).order_by("pk").values_list("pk", flat=True):
            if (occurrence_id := event_for(runs[run_id], using)) is not None:
                woken[occurrence_id].append(runs[run_id])
        for occurrence_id, members in woken.items():
            _wake(members, occurrence_id, using, tell=tell)
        waiting.filter(pk__in=runs).update(next_handover_at=F("due_at"))


def event_for(run: Run, using: str) -> UUID | None:
    """The first occurrence that the run waits for, and that came in time; none that ended a wait of it before."""
    used = Step.objects.using(using).filter(run=run, woken_by__isnull=False).values("woken_by")
    in_time = Q(recorded_at__gte=run.awaited_since)
    if run.due_at is not None:
        in_time &= Q(recorded_at__lt=run.due_at)
    happenings = _counting(run.user_id, run.awaited_type, in_time, using).exclude(occurrence__in=used)
    for happening in happenings.select_related("occurrence").order_by("recorded_at", "pk"):
        if _is_meant(run, happening.occurrence):
            return happening.occurrence_id
    return None


def _look(new: QuerySet[Happening], using: str, *, once: bool = False) -> None:
    while happenings := list(new.select_related("occurrence").order_by("pk")[:BATCH]):
        by_occurrence: dict[Occurrence, dict[Any, datetime]] = defaultdict(dict)
        for happening in happenings:
            by_occurrence[happening.occurrence][happening.user_id] = happening.recorded_at
        for occurrence, recorded_at in by_occurrence.items():
            with transaction.atomic(using=using):
                _wake_those_waiting(occurrence, recorded_at, using)
        new.filter(pk__in=[happening.pk for happening in happenings]).update(looked_at=Now())
        if once or len(happenings) < BATCH:
            return


def _wake_those_waiting(occurrence: Occurrence, recorded_at: dict[Any, datetime], using: str) -> None:
    waiting = _waiting(using).filter(user_id__in=list(recorded_at), awaited_type=occurrence.type)
    woken = [
        run
        for run in waiting.select_for_update().order_by("pk")
        if _is_in_time(run, recorded_at[run.user_id]) and _is_meant(run, occurrence)
    ]
    if woken:
        _wake(woken, occurrence.pk, using)


def _waiting(using: str) -> QuerySet[Run]:
    """Runs that wait for an event that has not come."""
    return Run.objects.using(using).filter(
        ended_at=None, status=Run.Status.WAITING, awaited_type__isnull=False, woken_by=None, due_at__isnull=False
    )


def _counting(user: Any, type_: Any, in_time: Q, using: str | None = None) -> QuerySet[Happening]:
    return Happening.objects.using(using).filter(in_time, user_id=user, type=type_)


def _in_time_of_outer() -> Q:
    return Q(recorded_at__gte=OuterRef("awaited_since"), recorded_at__lt=OuterRef("due_at"))


def _is_in_time(run: Run, moment: datetime) -> bool:
    """As ``_in_time_of_outer``, of a row that is at hand."""
    return run.awaited_since is not None and run.due_at is not None and run.awaited_since <= moment < run.due_at


def _is_meant(run: Run, occurrence: Occurrence) -> bool:
    awaited: dict[str, Any] = run.awaited_context or {}
    return all(key in occurrence.context and occurrence.context[key] == value for key, value in awaited.items())


def _wake(runs: Sequence[Run], occurrence_id: UUID, using: str, *, tell: bool = True) -> None:
    """The runs, locked, are due at once; their engines hear of it when this has committed."""
    now = clock.Clock(using).now()
    Run.objects.using(using).filter(pk__in=[run.pk for run in runs]).update(
        woken_by_id=occurrence_id, due_at=None, next_handover_at=next_handover_at(None, now), handovers=0
    )
    by_engine: dict[str, list[UUID]] = defaultdict(list)
    for run in runs:
        by_engine[run.engine].append(run.pk)
    for engine, run_ids in by_engine.items():
        if tell:
            transaction.on_commit(partial(_tell, engine, run_ids), using=using, robust=True)


def _tell(engine: str, run_ids: Sequence[UUID]) -> None:
    engines.get(engine).wake(run_ids)
