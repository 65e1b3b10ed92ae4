"""
Admission: which of the claimed runs may begin. Conditions are evaluated set-wise, and the places of those who pass
are counted in their Activities at once, under the Activities' lock.

Lock order everywhere: Activities by trigger and user, then Runs.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any, Final

from django.db import transaction
from django.db.models import F, OuterRef, Q, Subquery

from triggers.evaluation import Decision, denied, excluded, is_outage
from triggers.loading import rows
from triggers.models import Activity, Run
from triggers.running import settling
from triggers.running.lease import Lease, LeaseLost
from triggers.running.work import Work

logger = logging.getLogger(__name__)

_MAX_POSTPONEMENT: Final = timedelta(minutes=1)
_TICK: Final = timedelta(microseconds=1)


def admit(lease: Lease, works: Sequence[Work]) -> list[Work]:
    """
    Those of the runs that may begin, each counted in its Activity; the others are skipped or postponed.

    At most one of ``works`` may have the same trigger and user.
    """
    decisions = [(work, _denied(work)) for work in works]
    settling.skip(lease, [(work.run, decision) for work, decision in decisions if decision])
    return _admit_together(lease, [work for work, decision in decisions if decision is None])


def _denied(work: Work) -> Decision | None:
    return denied(work.definition, work.user, lambda: work.user_context)


def _admit_together(lease: Lease, works: Sequence[Work]) -> list[Work]:
    """As one; if that fails, one by one, so that what is wrong with one run does not concern the others."""
    if not works:
        return []
    try:
        _ensure_activities(lease, works)
        with transaction.atomic(using=lease.using):
            return _reserve(lease, works)
    except Exception as error:
        if is_outage(error, lease.using):
            raise
        if len(works) > 1:
            logger.warning("A chunk of %s runs could not be admitted: one by one", len(works), exc_info=error)
            return [admitted for work in works for admitted in _admit_together(lease, [work])]
        if isinstance(error, LeaseLost):
            return []
        logger.warning("Run %s could not be admitted", works[0].run.pk, exc_info=error)
        detail = f"The conditions could not be evaluated: {type(error).__name__}."
        settling.skip(lease, [(works[0].run, Decision("evaluation_failed", detail))])
        return []


def _ensure_activities(lease: Lease, works: Sequence[Work]) -> None:
    """Every place has its Activity row, committed, so that the transaction to come can lock it by its first read."""
    places = {work.place for work in works}
    ledger = rows(Activity, lease.using)
    existing = set(ledger.filter(_places(places)).values_list("trigger_id", "user_id"))
    missing = [Activity(trigger_id=trigger_id, user_id=user_id) for trigger_id, user_id in sorted(places - existing)]
    for activity in missing:
        activity.pre_save_polymorphic(lease.using)  # bulk_create would look its type up on the default database
    ledger.bulk_create(missing, ignore_conflicts=True)


def _reserve(lease: Lease, works: Sequence[Work]) -> list[Work]:
    activities = {
        (activity.trigger_id, activity.user_id): activity
        for activity in rows(Activity, lease.using)
        .filter(_places({work.place for work in works}))
        .order_by("trigger_id", "user_id")
        .select_for_update()
    }
    kept_out = _excluded(lease, works)
    admitted = [work for work in works if work not in kept_out and work.place in activities]
    if kept_out:
        postponed = _postponed(lease, kept_out)
        settling.skip(lease, [(work.run, decision) for work, decision in kept_out.items() if work not in postponed])
    if admitted:
        _count(lease, admitted, [activities[work.place] for work in admitted])
    return admitted


def _excluded(lease: Lease, works: Sequence[Work]) -> dict[Work, Decision]:
    by_trigger: dict[int, list[Work]] = defaultdict(list)
    for work in works:
        by_trigger[work.run.trigger_id].append(work)
    kept_out: dict[Work, Decision] = {}
    for members in by_trigger.values():
        keys = [work.run.user_id for work in members]
        decisions = excluded(members[0].definition, keys, lease.using)
        kept_out |= {work: decisions[work.run.user_id] for work in members if work.run.user_id in decisions}
    return kept_out


def _count(lease: Lease, works: Sequence[Work], activities: Sequence[Activity]) -> None:
    """
    Take a place for each run: count it, and keep the time that this replaces.

    The time is later than any that it replaces, and than the last reset, so that each run's is found again when places
    are given back.
    """
    previous = {work: activity.last_action_datetime for work, activity in zip(works, activities, strict=True)}
    moments = (moment for each in activities for moment in (each.last_action_datetime, each.reset_at))
    latest = max((moment for moment in moments if moment), default=None)
    reserved_at = lease.clock.now()
    if latest is not None and latest >= reserved_at:
        reserved_at = latest + _TICK
    of_run = rows(Activity, lease.using).filter(trigger_id=OuterRef("trigger_id"), user_id=OuterRef("user_id"))
    counted = (
        lease.runs()
        .filter(pk__in=[work.run.pk for work in works])
        .update(
            reserved_at=reserved_at,
            replaced_action_datetime=Subquery(of_run.values("last_action_datetime")[:1]),
        )
    )
    if counted != len(works):
        raise LeaseLost("Runs were taken over or deleted before they began.")
    rows(Activity, lease.using).filter(pk__in=[activity.pk for activity in activities]).update(
        action_count=F("action_count") + 1, last_action_datetime=reserved_at
    )
    for work in works:
        work.run.reserved_at = reserved_at
        work.run.replaced_action_datetime = previous[work]


def _postponed(lease: Lease, kept_out: dict[Work, Decision]) -> set[Work]:
    """Put off those runs that only another run's place keeps out, while that one may yet give it back."""
    holders = _holders(lease, kept_out)
    candidates = [work for work in kept_out if work.place in holders]
    if not candidates:
        return set()
    still_out = _excluded_without(lease, candidates, holders)
    postponed = {work for work in candidates if work not in still_out}
    now = lease.moment
    for work in postponed:
        pause = min(timedelta(seconds=2 ** min(work.run.postponements, 16)), _MAX_POSTPONEMENT)
        fields = settling.waiting(lease, now + pause, Run.Status.PENDING)
        lease.write(work.run, postponements=work.run.postponements + 1, **fields)
        work.run.status = Run.Status.PENDING
    return postponed


def _holders(lease: Lease, works: Collection[Work]) -> dict[tuple[int, Any], list[Run]]:
    """The runs that are counted at the same places and may yet give them back, the latest first."""
    holders: dict[tuple[int, Any], list[Run]] = defaultdict(list)
    unproven = Run.objects.using(lease.using).unproven().filter(_places({work.place for work in works}))
    for run in unproven.order_by("-reserved_at"):
        holders[run.trigger_id, run.user_id].append(run)
    return holders


def _excluded_without(
    lease: Lease, works: Sequence[Work], holders: dict[tuple[int, Any], list[Run]]
) -> dict[Work, Decision]:
    """What the conditions would say if those places had been given back: tried in a savepoint, and undone."""
    with transaction.atomic(using=lease.using):
        for work in works:
            for holder in holders[work.place]:
                settling.give_back(lease, holder, wake=False)
        still_out = _excluded(lease, works)
        transaction.set_rollback(True, using=lease.using)
    return still_out


def _places(places: Collection[tuple[int, Any]]) -> Q:
    by_trigger: dict[int, list[Any]] = defaultdict(list)
    for trigger_id, user_id in places:
        by_trigger[trigger_id].append(user_id)
    return reduce(or_, (Q(trigger_id=trigger_id, user_id__in=users) for trigger_id, users in by_trigger.items()), Q())
