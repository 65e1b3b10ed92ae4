"""``advance``: claim runs, find out what they are, admit, perform, and say what is left."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from triggers import clock, conf
from triggers.evaluation import Decision, users
from triggers.loading import Definition, load, load_definitions, rows
from triggers.models import Event, Run, Step
from triggers.running import settling
from triggers.running.admission import admit
from triggers.running.lease import Lease, LeaseLost
from triggers.running.performing import perform_all
from triggers.running.work import Work

logger = logging.getLogger(__name__)


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
) -> list[Remaining]:
    """
    Take the runs as far as they get and return what is left of them, and when.

    Decides from the database alone: called twice, early or for runs that others hold, it changes nothing. ``now`` takes
    the place of the database's clock where it is later: for what is due, and for how long waits last. Between runs
    ``should_stop`` is asked.
    """
    lease = Lease(clock.alias(), now, should_stop)
    claimed = lease.claim(run_ids)
    if claimed:
        _take_further(lease, claimed)
    return _remaining(run_ids, lease)


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
            return
        ready = []


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
    definitions = load_definitions({run.trigger_id for run in runs}, lease.using)
    events = _events({run.event_id for run in runs}, lease.using)
    people = {user.pk: user for user in users(lease.using).filter(pk__in={run.user_id for run in runs})}
    steps = _steps([run for run in runs if run.position or run.reserved_at], lease.using)
    works: list[Work] = []
    skipped: list[tuple[Run, Decision]] = []
    for run in runs:
        definition = definitions.get(run.trigger_id)
        event = events.get(run.event_id)
        user = people.get(run.user_id)
        if run.cancel_requested_at is not None:
            _end(lease, run, Run.Status.CANCELLED, "cancelled", settling.CANCELLED)
        elif run.losses >= conf.max_losses():
            _end(lease, run, Run.Status.FAILED, "worker_lost", _WORKER_LOST % run.losses)
        elif definition is None or event is None or user is None or definition.obstacle:
            code, detail = _obstacle(run, definition, event)
            if run.reserved_at is None:
                skipped.append((run, Decision(code, detail)))
            else:
                status = Run.Status.FAILED if code == "component_missing" else Run.Status.CANCELLED
                _end(lease, run, status, code, detail)
        else:
            event.trigger = definition.trigger
            works.append(_work(run, definition, event, user, steps.get(run.pk, [])))
    settling.skip(lease, skipped)
    return works


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


def _end(lease: Lease, run: Run, status: str, code: str, detail: str) -> None:
    try:
        settling.end_run(lease, run, status, code, detail)
    except LeaseLost:
        logger.info("Run %s was taken over or deleted", run.pk)


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


def _events(event_ids: Collection[int], using: str) -> dict[int, Event]:
    found, _missing = load(rows(Event, using).filter(pk__in=event_ids))
    return {event.pk: event for event in found}


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
