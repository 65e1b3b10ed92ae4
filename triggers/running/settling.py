"""
How steps and runs end, or wait. Every function here is one or part of one transaction.

What a run becomes is computed as a dict of its fields, written with the lease's token, and put on the run in
memory only after the commit.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from triggers import statements
from triggers.evaluation import Decision
from triggers.exceptions import PermanentError, RetryAfter
from triggers.handover import next_handover_at
from triggers.loading import rows
from triggers.models import Action, Activity, Run, Step
from triggers.registry import label
from triggers.running.lease import Lease, LeaseLost
from triggers.running.work import Work

#: What a run says that was cancelled by request.
CANCELLED: Final = "The run was cancelled."
MAX_BACKOFF: Final = timedelta(hours=1)
MAX_MESSAGE: Final = 1000
_MAX_FRAMES: Final = 8

Fields = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One try at the next action of a run, begun."""

    work: Work
    action: Action
    started_at: datetime
    #: What the action has kept of it, as a field of the step.
    record: Fields = field(default_factory=dict)

    @property
    def number(self) -> int:
        return 1 + (self.work.waiting_step.attempts if self.work.waiting_step else 0)

    def save(self, using: str, status: str, ended_at: datetime | None, **fields: Any) -> None:
        """Write the step: the same row for every attempt."""
        fields |= {"status": status, "attempts": self.number, "ended_at": ended_at, "result": None} | self.record
        if self.work.waiting_step:
            Step.objects.using(using).filter(pk=self.work.waiting_step.pk).update(**fields)
        else:
            statements.insert([self.new_step(**fields)], using)

    def new_step(self, **fields: Any) -> Step:
        return Step(
            run_id=self.work.run.pk,
            position=self.work.run.position,
            action_id=self.action.pk,
            type=label(self.action),
            started_at=self.started_at,
            **fields,
        )

    def done(self, fields: Fields) -> None:
        """The transaction has committed: the run in memory is as the one in the database."""
        for name, value in fields.items():
            setattr(self.work.run, name, value)
        if "position" in fields:
            self.work.failures += fields.get("steps_succeeded") is None
            self.work.over.add(self.action.pk)
            self.work.waiting_step = None


def ended(lease: Lease, status: str, code: str = "", detail: str = "") -> Fields:
    return {
        "status": status,
        "code": code,
        "detail": detail,
        "ended_at": lease.clock.now(),
        "due_at": None,
        **_LET_GO,
        "next_handover_at": None,
    }


def waiting(lease: Lease, due_at: datetime, status: str = Run.Status.WAITING) -> Fields:
    return {
        "status": status,
        "due_at": due_at,
        **_LET_GO,
        "next_handover_at": next_handover_at(due_at, lease.clock.now()),
    }


_LET_GO: Final[Fields] = {"token": None, "lease_until": None}


def succeed(lease: Lease, attempt: Attempt, fields: Fields, note: str) -> None:
    """
    Record the attempt's success, and what becomes of the run by it. Call inside the transaction that holds its effects;
    the last write is the run's.
    """
    attempt.save(lease.using, Step.Status.SUCCEEDED, lease.clock.now(), detail=note)
    lease.write(attempt.work.run, **fields)


def succeed_many(lease: Lease, successes: Sequence[tuple[Attempt, Fields]]) -> None:
    """Record the success of attempts whose runs are locked: one INSERT, and one UPDATE for all that end alike."""
    alike: dict[tuple[Any, ...], list[tuple[Attempt, Fields]]] = {}
    for attempt, fields in successes:
        end = tuple(str(fields.get(name)) for name in _TOLD_APART)
        alike.setdefault(end, []).append((attempt, fields))
    now = lease.clock.now()
    steps = [attempt.new_step(status=Step.Status.SUCCEEDED, attempts=1, ended_at=now) for attempt, _ in successes]
    statements.insert(steps, lease.using)
    for members in alike.values():
        run_ids = [attempt.work.run.pk for attempt, _ in members]
        if lease.runs().filter(pk__in=run_ids).update(**members[0][1]) != len(run_ids):
            raise LeaseLost("Locked runs were taken over.")


#: Runs that differ in one of these end differently.
_TOLD_APART: Final = (
    "position",
    "steps_succeeded",
    "status",
    "detail",
    "decision",
    "due_at",
    "snapshot_id",
    "awaited_type",
    "awaited_context",
    "awaited_since",
    "stops_on_timeout",
)


def fail(lease: Lease, attempt: Attempt, error: Exception) -> None:
    """Record that the attempt failed: it is tried again later, or the step has failed for good."""
    action = attempt.action
    details = _describe(error)
    with transaction.atomic(using=lease.using):
        if attempt.number < action.max_attempts and not isinstance(error, PermanentError):
            fields = waiting(lease, lease.moment + _backoff(action, attempt.number, error))
            attempt.save(lease.using, Step.Status.WAITING, None, **details)
        else:
            fields = _after_final_failure(lease, attempt, details)
            attempt.save(lease.using, Step.Status.FAILED, lease.clock.now(), **details)
        lease.write(attempt.work.run, **fields)
    attempt.done(fields)


def decline(lease: Lease, attempt: Attempt, reason: str) -> None:
    """Record that the action declined: the run ends, and its place is always given back."""
    run = attempt.work.run
    status = Run.Status.CANCELLED if run.steps_succeeded else Run.Status.SKIPPED
    detail = f"The action “{attempt.action}” declined to act on this user" + (f": {reason}" if reason else ".")
    with transaction.atomic(using=lease.using):
        fields = give_back(lease, run) | ended(lease, status, "action_declined", detail)
        fields["position"] = run.position + 1
        attempt.save(lease.using, Step.Status.DECLINED, lease.clock.now(), detail=reason)
        lease.write(run, **fields)
    attempt.done(fields)


def drop_step(lease: Lease, work: Work, step: Step) -> None:
    """Record that the step which was to be tried again is not: its action is not the trigger's any more."""
    fields: Fields = {"position": work.run.position + 1}
    with transaction.atomic(using=lease.using):
        Step.objects.using(lease.using).filter(pk=step.pk).update(
            status=Step.Status.SKIPPED,
            ended_at=lease.clock.now(),
            detail="The action was removed from the trigger before it succeeded.",
        )
        lease.write(work.run, **fields)
    work.run.position += 1
    work.waiting_step = None


def end_run(lease: Lease, run: Run, status: str, code: str, detail: str) -> None:
    """End the run outside of any step; its place is given back if no step has succeeded."""
    with transaction.atomic(using=lease.using):
        fields = _give_back_unproven(lease, run) | ended(lease, status, code, detail)
        lease.write(run, **fields)


def skip(lease: Lease, decisions: Sequence[tuple[Run, Decision]]) -> None:
    """End runs that were never begun, together; those that are not this lease's any more are left alone."""
    if not decisions:
        return
    for run, decision in decisions:
        status = Run.Status.FAILED if decision.code in _FAULTS else Run.Status.SKIPPED
        for name, value in ended(lease, status, decision.code, decision.detail).items():
            setattr(run, name, value)
        run.decision = decision.as_json()
    names = [*ended(lease, ""), "decision"]
    lease.runs().bulk_update([run for run, _ in decisions], names)


#: Codes of decisions that nobody decided: something is broken.
_FAULTS: Final = frozenset({"condition_error", "context_error", "component_missing", "evaluation_failed"})


def give_back(lease: Lease, run: Run, *, wake: bool = True) -> Fields:
    """
    Take the run out of its Activity's count again, and return what that makes of the run.

    The last action's time becomes what it would be had this run never been counted: either the Activity or the
    run that was counted next holds the link to restore. Runs that were postponed because of this one are due. Where the
    Activity has been reset since, the run is not in its count.
    """
    if run.reserved_at is None:
        return {}
    of_place = {"trigger_id": run.trigger_id, "user_id": run.user_id}
    activities = rows(Activity, lease.using).filter(**of_place)
    activity = activities.select_for_update().first()
    if activity is not None and (activity.reset_at is None or activity.reset_at < run.reserved_at):
        changes: Fields = {"action_count": F("action_count") - 1} if activity.action_count else {}
        if activity.last_action_datetime == run.reserved_at:
            changes["last_action_datetime"] = run.replaced_action_datetime
        else:
            following = Run.objects.using(lease.using).filter(replaced_action_datetime=run.reserved_at, **of_place)
            following.update(replaced_action_datetime=run.replaced_action_datetime)
        if changes:
            activities.filter(pk=activity.pk).update(**changes)
        if wake:
            lease.wake_postponed(run)
    return {"reserved_at": None, "replaced_action_datetime": None}


def _give_back_unproven(lease: Lease, run: Run) -> Fields:
    return {} if run.steps_succeeded else give_back(lease, run)


def _after_final_failure(lease: Lease, attempt: Attempt, details: Fields) -> Fields:
    run, action = attempt.work.run, attempt.action
    fields: Fields = {"position": run.position + 1}
    if action.on_failure == Action.OnFailure.CONTINUE:
        more = unless_more(lease, attempt, failures=attempt.work.failures + 1)
        if not more or run.steps_succeeded:
            return fields | more
    detail = (
        f"The action “{action}” failed after {attempt.number} of {action.max_attempts} attempts "
        f"({details['error_type']})."
    )
    return fields | _give_back_unproven(lease, run) | ended(lease, Run.Status.FAILED, "action_failed", detail)


def unless_more(lease: Lease, attempt: Attempt, *, failures: int) -> Fields:
    """The end of a run of which this was the last action; nothing if there are more."""
    if any(action.pk != attempt.action.pk for action in attempt.work.open_actions):
        return {}
    detail = f"{failures} of its actions failed." if failures else ""
    return ended(lease, Run.Status.SUCCEEDED, detail=detail)


def _backoff(action: Action, attempts: int, error: Exception) -> timedelta:
    if isinstance(error, RetryAfter):
        return timedelta(seconds=max(0.0, error.seconds))
    pause = min(action.backoff * 2 ** min(attempts - 1, 32), MAX_BACKOFF)
    return timedelta(seconds=pause.total_seconds() * random.uniform(0.75, 1.25))  # noqa: S311 - spreads retries, hides nothing


def _describe(error: Exception) -> Fields:
    """The error's type, message and the tail of its traceback: source lines, never the values of variables."""
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    return {
        "error_type": type(error).__name__,
        "error_message": str(error).replace("\x00", "")[:MAX_MESSAGE],
        "error_traceback": "".join(traceback.format_list(frames)),
    }
