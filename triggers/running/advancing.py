"""``advance``: claim runs, find out what they are, admit, perform, and say what is left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connections, transaction

from triggers import clock, conf, statements, waking
from triggers.evaluation import Decision, users
from triggers.loading import Definition, load_definitions, of_their_classes
from triggers.models import Event, Run, Step, Trigger
from triggers.running import outcomes, settling
from triggers.running.admission import admit
from triggers.running.lease import Lease, LeaseLost
from triggers.running.performing import perform_all
from triggers.running.work import Work
from triggers.snapshots import Pins

logger = logging.getLogger(__name__)


#: How long a run may have to wait for others that were taken together with it, and how long others are taken.
_MOMENT_SECONDS: Final = 0.25
_OTHERS_SECONDS: Final = 2.0


class Remaining(NamedTuple):
    """A run that has not ended, and when to call ``advance`` for it again; None is at once."""

    run_id: UUID
    due_at: datetime | None
    #: Whether it is not to be handed over with others: another worker holds it, or its worker was lost and the sweep
    #: hands it over alone.
    is_held: bool = False


def advance(
    run_ids: Collection[UUID],
    now: datetime | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    takes_others: bool = False,
) -> list[Remaining]:
    """
    Take the runs as far as they get and return what is left of them, and when.

    Decides from the database alone: called twice, early or for runs that others hold, it changes nothing. ``now`` takes
    the place of the database's clock where it is later: for what is due, and for how long waits last. Between runs
    ``should_stop`` is asked.

    With ``takes_others``, others of the same trigger are taken along that are due and that nobody has begun, as long as
    they are done quickly: of a burst of events each has a message of its own, and most of them then find nothing to do.
    """
    using = clock.alias()
    if takes_others and not statements.distinct(Run, using, "id", {"id": run_ids, "status": Run.OPEN}):
        return []  # others took them along
    lease = Lease(using, now, should_stop)
    began = time.monotonic()
    claimed = lease.claim(run_ids)
    others: list[UUID] = []
    if claimed:
        _take_further(lease, claimed)
        if takes_others:
            others = _take_others(lease, claimed[-1], (time.monotonic() - began) / len(claimed))
    return _remaining([*run_ids, *others], lease)


def _take_others(lease: Lease, like: Run, seconds_each: float) -> list[UUID]:
    """Advance runs like this one, at a time as many as are done in a moment if they take as long as those before."""
    taken: list[UUID] = []
    end = time.monotonic() + _OTHERS_SECONDS
    while (began := time.monotonic()) < end and not lease.is_spent:
        limit = min(conf.chunk_size(), int(_MOMENT_SECONDS / seconds_each))
        others = lease.claim_others(like, limit) if limit else []
        if not others:
            break
        _take_further(lease, others)
        taken += [run.pk for run in others]
        seconds_each = (time.monotonic() - began) / len(others)
    return taken


def _take_further(lease: Lease, runs: Sequence[Run]) -> None:
    works = _prepare(lease, runs)
    ready = [work for work in works if work.run.reserved_at is not None]
    to_admit = [work for work in works if work.run.reserved_at is None]
    while ready or to_admit:
        now_admitted, to_admit = _one_per_place(to_admit, {work.place for work in ready})
        ready += admit(lease, now_admitted)
        not_begun = perform_all(lease, ready)
        if not_begun or lease.is_spent:
            lease.give_up([work.run for work in (*not_begun, *to_admit)])
            break
        ready = []
    _look_for_events([work.run.pk for work in works if work.run.is_awaiting], lease.using)


def _look_for_events(run_ids: Sequence[UUID], using: str) -> None:
    """Find what the runs have begun to wait for and what came before they were seen to: after the commit."""
    if run_ids:
        # Where the caller has a transaction of its own, this call's answer comes too early for them.
        is_within = connections[using].in_atomic_block
        look = partial(waking.look_for_events, run_ids, tell=is_within)
        transaction.on_commit(look, using=using, robust=True)


def _one_per_place(works: Sequence[Work], taken: set[tuple[int, Any]]) -> tuple[list[Work], list[Work]]:
    """The first run of each trigger and user, and the rest: they come in later rounds."""
    first: list[Work] = []
    later: list[Work] = []
    for work in works:
        (later if work.place in taken else first).append(work)
        taken.add(work.place)
    return first, later


def _prepare(lease: Lease, runs: Sequence[Run]) -> list[Work]:
    """The runs that can go on, each with its definition, event and user; the others are ended with the reason."""
    events, triggers = _events({run.event_id for run in runs}, lease.using)
    definitions = _definitions({run.trigger_id for run in runs}, triggers, lease.using)
    pins = Pins(runs, lease.using)
    people = {user.pk: user for user in users(lease.using).filter(pk__in={run.user_id for run in runs})}
    steps = _steps([run for run in runs if run.position or run.reserved_at], lease.using)
    works: list[Work] = []
    skipped: list[tuple[Run, Decision]] = []
    for run in runs:
        definition, event = pins.of(run, definitions.get(run.trigger_id), events.get(run.event_id))
        user = people.get(run.user_id)
        try:
            if run.cancel_requested_at is not None:
                settling.end_run(lease, run, Run.Status.CANCELLED, "cancelled", settling.CANCELLED)
                continue
            if run.losses >= conf.max_losses():
                settling.end_run(lease, run, Run.Status.FAILED, "worker_lost", _WORKER_LOST % run.losses)
                continue
            awaited_type, missed = run.awaited_type, False
            if awaited_type is not None:
                missed = not outcomes.end_wait(lease, run)
            if definition is None or event is None or user is None or definition.obstacle:
                code, detail = _obstacle(run, definition, event)
                if run.reserved_at is None:
                    skipped.append((run, Decision(code, detail)))
                else:
                    _end_under_way(lease, run, code, detail)
                continue
            if awaited_type is not None and missed and run.stops_on_timeout:
                outcomes.time_out(lease, run, awaited_type)
                continue
            event.trigger = definition.trigger
            work = _work(run, definition, event, user, steps.get(run.pk, []))
            if lost := work.without_secret:
                _end_under_way(lease, run, "secret_missing", _LOST_WITH_SECRETS % lost)
                continue
            works.append(work)
        except LeaseLost:
            logger.info("Run %s was taken over or deleted", run.pk)
    settling.skip(lease, skipped)
    return works


_LOST_WITH_SECRETS = (
    "“%s” was deleted while the run waited, and its secrets with it: they are not kept with the rest of the definition."
)
_WORKER_LOST = (
    "%s workers died or did not answer while they held this run. The action may use up the machine's memory or "
    "never return."
)


def _obstacle(run: Run, definition: Definition | None, event: Event | None) -> tuple[str, str]:
    if definition is None:
        return "trigger_deleted", f"The trigger “{run.trigger_name}” was deleted."
    if definition.obstacle:
        return definition.obstacle
    if event is None:
        return "event_deleted", f"The event was removed from the trigger “{run.trigger_name}”."
    return "user_gone", "The user does not exist any more."


def _end_under_way(lease: Lease, run: Run, code: str, detail: str) -> None:
    status = Run.Status.FAILED if code in ("component_missing", "secret_missing") else Run.Status.CANCELLED
    settling.end_run(lease, run, status, code, detail)


def _work(run: Run, definition: Definition, event: Event, user: Any, steps: Sequence[Step]) -> Work:
    return Work(
        run=run,
        definition=definition,
        event=event,
        user=user,
        waiting_step=next((step for step in steps if step.status == Step.Status.WAITING), None),
        over={step.action_id for step in steps if step.status != Step.Status.WAITING},
        failures=sum(step.status == Step.Status.FAILED for step in steps),
    )


def _events(event_ids: Collection[int], using: str) -> tuple[dict[int, Event], dict[int, Trigger]]:
    """The events, and the rows of the triggers that they belong to, by id."""
    bases = statements.select(Event, using, {"id": event_ids}, related="trigger")
    found, _missing = of_their_classes(Event, bases, using)
    return {event.pk: event for event in found}, {base.trigger_id: base.trigger for base in bases}


def _definitions(trigger_ids: Collection[int], known: dict[int, Trigger], using: str) -> dict[int, Definition]:
    are_known = all(trigger_id in known for trigger_id in trigger_ids)
    return load_definitions(trigger_ids, using, [known[id] for id in trigger_ids] if are_known else None)


def _steps(runs: Sequence[Run], using: str) -> dict[UUID, list[Step]]:
    steps: dict[UUID, list[Step]] = {}
    if runs:
        for step in Step.objects.using(using).filter(run__in=runs):
            steps.setdefault(step.run_id, []).append(step)
    return steps


def _remaining(run_ids: Collection[UUID], lease: Lease) -> list[Remaining]:
    left = [
        Remaining(run_id, lease_until or due_at, lease_until is not None or losses >= conf.max_losses() - 1)
        for run_id, due_at, lease_until, losses in Run.objects.using(lease.using)
        .open()
        .filter(pk__in=run_ids)
        .order_by("pk")
        .values_list("pk", "due_at", "lease_until", "losses")
    ]
    return left + [Remaining(run_id, None) for run_id in lease.woken if run_id not in run_ids]
