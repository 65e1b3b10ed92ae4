"""
Outcomes: what a run becomes when an action has succeeded and said, by :mod:`triggers.flow`, how it is to go on.

A run that waits is pinned to the definition that it has now. One that waits for an event says so in its row, which is
how that event finds it; how it goes on is told by :func:`end_wait`, which decides by what was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Max

from triggers import snapshots, waking
from triggers.context import encode
from triggers.evaluation import denied, excluded
from triggers.exceptions import ActionError, PermanentError, TriggersError
from triggers.flow import GoOnIfConditionsHold, Outcome, Stop, Wait, WaitForEvent
from triggers.handover import next_handover_at
from triggers.models import Run, Step
from triggers.registry import event_kind
from triggers.running import settling
from triggers.running.lease import Lease
from triggers.running.settling import Attempt, Fields
from triggers.running.work import Work

#: The code of limits: a run that is counted already is not kept out by them.
LIMIT: Final = "limit_reached"
#: The code of a run that ended because an event did not come.
TIMED_OUT: Final = "timed_out"


def after_success(lease: Lease, attempt: Attempt, outcome: Outcome) -> Fields:
    """
    What the run becomes when the attempt has succeeded; part of the transaction that holds its effects.

    Raises PermanentError for an outcome that cannot be, and ActionError for conditions that cannot be evaluated.
    """
    run = attempt.work.run
    fields: Fields = {"position": run.position + 1, "steps_succeeded": run.steps_succeeded + 1}
    for kind, follow in _FOLLOWING.items():
        if isinstance(outcome, kind):
            return fields | follow(lease, attempt, outcome)
    return fields | _go_on(lease, attempt)


def end_wait(lease: Lease, run: Run) -> bool:
    """
    The run does not wait for its event any more, and its step says whether it came; whether it did.

    Raises LeaseLost.
    """
    occurrence_id = run.woken_by_id or waking.event_for(run, lease.using)
    came = occurrence_id is not None
    detail = f"{run.awaited_type} happened." if came else f"{run.awaited_type} did not happen in time."
    fields: Fields = {
        "awaited_type": None,
        "awaited_context": None,
        "awaited_since": None,
        "woken_by_id": None,
        "due_at": None,
    }
    with transaction.atomic(using=lease.using):
        begun_by = Step.objects.using(lease.using).filter(run=run, position=run.position - 1)
        begun_by.update(woken_by_id=occurrence_id, detail=detail)
        lease.write(run, **fields)
    for name, value in fields.items():
        setattr(run, name, value)
    return came


def time_out(lease: Lease, run: Run, type_: str) -> None:
    """End the run, because the event did not come. Raises LeaseLost."""
    settling.end_run(lease, run, Run.Status.SUCCEEDED, TIMED_OUT, f"{type_} did not happen in time.")


def _go_on(lease: Lease, attempt: Attempt) -> Fields:
    return settling.unless_more(lease, attempt, failures=attempt.work.failures)


def _stop(lease: Lease, attempt: Attempt, stop: Stop) -> Fields:
    return settling.ended(lease, Run.Status.SUCCEEDED, "stopped", stop.reason)


def _wait(lease: Lease, attempt: Attempt, wait: Wait) -> Fields:
    return settling.waiting(lease, wait.due_at(lease.moment)) | _pinned(lease, attempt.work)


def _wait_for_event(lease: Lease, attempt: Attempt, wait: WaitForEvent) -> Fields:
    try:
        type_ = event_kind(wait.type).name
        context = None if wait.context is None else encode(wait.context)
        due_at = lease.moment + wait.timeout
    except (TriggersError, OverflowError) as error:
        raise PermanentError(f"flow.WaitForEvent cannot wait: {error}") from error
    waking.expect([type_], lease.using)
    return {
        **settling.waiting(lease, due_at),
        **_pinned(lease, attempt.work),
        "awaited_type": type_,
        "awaited_context": context,
        "awaited_since": _since(lease, attempt.work.run),
        "stops_on_timeout": wait.on_timeout == "stop",
        # Until it was looked, after the commit, whether the event has come already, the sweep is to do so.
        "next_handover_at": next_handover_at(None, lease.clock.now()),
    }


def _since(lease: Lease, run: Run) -> datetime:
    """When the preceding step was over, or the run started: to the millisecond, as SQLite's clock has it."""
    last = Step.objects.using(lease.using).filter(run=run).aggregate(last=Max("ended_at"))["last"]
    since: datetime = last or run.started_at or lease.clock.now()
    return since.replace(microsecond=since.microsecond // 1000 * 1000)


def _pinned(lease: Lease, work: Work) -> Fields:
    if work.run.snapshot_id is not None:
        return {}
    return {"snapshot_id": snapshots.keep(work.definition, work.event, lease.clock.now(), lease.using)}


def _go_on_if_conditions_hold(lease: Lease, attempt: Attempt, outcome: GoOnIfConditionsHold) -> Fields:
    work = attempt.work
    conditions = [condition for condition in work.definition.conditions if condition.code != LIMIT]
    definition = replace(work.definition, conditions=conditions)
    decision = denied(definition, work.user, lambda: work.user_context)
    if decision is None:
        decision = excluded(definition, [work.run.user_id], lease.using).get(work.run.user_id)
    if decision is None:
        return _go_on(lease, attempt)
    if decision.code == "condition_error":
        raise ActionError(decision.detail)
    return settling.ended(lease, Run.Status.SUCCEEDED, "stopped", decision.detail) | {"decision": decision.as_json()}


_FOLLOWING: Final[dict[type[Any], Callable[[Lease, Attempt, Any], Fields]]] = {
    Wait: _wait,
    WaitForEvent: _wait_for_event,
    GoOnIfConditionsHold: _go_on_if_conditions_hold,
    Stop: _stop,
}
#: The classes of what an action may return.
KINDS: Final = tuple(_FOLLOWING)
