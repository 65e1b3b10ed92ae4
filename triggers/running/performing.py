"""
Performing: the actions of admitted runs, each step in a transaction of its own.

A run is taken as far as it gets, then the next. Actions with ``perform_many`` are the exception: runs that come to
one gather there and are served together.
"""

from __future__ import annotations

import inspect
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any

from django.db import transaction

from triggers.evaluation import is_outage
from triggers.exceptions import ActionError, PermanentError
from triggers.execution import CurrentStep, performing
from triggers.flow import Outcome
from triggers.models import Action, Activity, Call, Run
from triggers.registry import label
from triggers.running import outcomes, settling
from triggers.running.deadline import time_limit
from triggers.running.lease import Lease, LeaseLost
from triggers.running.settling import Attempt
from triggers.running.work import Work

logger = logging.getLogger(__name__)


def perform_all(lease: Lease, works: Sequence[Work]) -> list[Work]:
    """
    Take each run as far as it gets: to its end, a wait, or a failed attempt.

    Returns those that were not begun because the lease is half over or the worker is to stop.
    """
    queue = deque(works)
    begun = False

    def may_begin() -> bool:
        nonlocal begun
        may = not (begun and lease.is_spent)
        begun = True
        return may

    while queue:
        gathered: dict[int, list[Work]] = defaultdict(list)  # by the instance: that of a snapshot has the same key
        while queue and may_begin():
            work = queue.popleft()
            action = _perform_until_bulk(lease, work)
            if action is not None:
                gathered[id(action)].append(work)
        for group in gathered.values():
            queue.extend(_perform_group(lease, group) if may_begin() else group)
        if lease.is_spent:
            break
    return list(queue)


def _perform_until_bulk(lease: Lease, work: Work) -> Action | None:
    """Perform the run's actions one by one; stop at one that serves many at once, and return it."""
    try:
        while work.run.status == Run.Status.RUNNING:
            action = _next_action(lease, work)
            if action is None:
                return None
            if type(action).perform_many is not Action.perform_many and work.waiting_step is None:
                return action
            perform_one(lease, work, action)
            if work.run.status == Run.Status.RUNNING and lease.is_cancel_requested(work.run):
                settling.end_run(lease, work.run, Run.Status.CANCELLED, "cancelled", settling.CANCELLED)
                return None
    except LeaseLost:
        logger.info("Run %s was taken over or deleted", work.run.pk)
    return None


def _next_action(lease: Lease, work: Work) -> Action | None:
    step = work.waiting_step
    if step is not None and all(action.pk != step.action_id for action in work.definition.actions):
        settling.drop_step(lease, work, step)
    actions = work.open_actions
    if not actions:
        settling.end_run(lease, work.run, Run.Status.SUCCEEDED, "", "")
        work.run.status = Run.Status.SUCCEEDED
        return None
    return actions[0]


def perform_one(lease: Lease, work: Work, action: Action) -> None:
    """Make one attempt at the action and settle it. Raises LeaseLost when the run is no longer this worker's."""
    lease.ensure(action.timeout)
    attempt = Attempt(work, action, lease.clock.now())
    committed: list[settling.Fields] = []
    step = CurrentStep(work.depth, work.run.pk, work.step_key, lease.moment, attempt.record)
    with performing(step):
        try:
            if action.atomic:
                with transaction.atomic(using=lease.using):
                    # First of all hooks: from here on an exception is a later hook's, not the action's.
                    transaction.on_commit(lambda: committed.append(fields), using=lease.using, robust=True)
                    outcome, note = _call(work, action)
                    fields = outcomes.after_success(lease, attempt, outcome)
                    settling.succeed(lease, attempt, fields, note)
            else:
                outcome, note = _call(work, action)
        except LeaseLost:
            raise
        except Exception as error:
            if not committed:
                _settle_error(lease, attempt, error)
                return
            logger.exception("An on_commit hook of action %s in run %s raised", action.pk, work.run.pk)
        if not action.atomic:
            try:
                with transaction.atomic(using=lease.using):
                    fields = outcomes.after_success(lease, attempt, outcome)
                    settling.succeed(lease, attempt, fields, note)
            except ActionError as error:
                _settle_error(lease, attempt, error)
                return
    attempt.done(fields)


def _call(work: Work, action: Action) -> tuple[Outcome, str]:
    with time_limit(action.timeout):
        answer = action.perform(work.user, dict(work.user_context))
    return _outcome(action, answer)


def _outcome(action: Action, answer: Any) -> tuple[Outcome, str]:
    """What the action's answer means; an answer that means nothing is noted, for it was never asked for."""
    if answer is None or isinstance(answer, outcomes.KINDS):
        return answer, ""
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise PermanentError(f"{label(action)}.perform is async; it must be a plain method.")
    return None, f"perform returned {type(answer).__name__}, which was ignored."


def _settle_error(lease: Lease, attempt: Attempt, error: Exception) -> None:
    if is_outage(error, lease.using):
        raise error
    if isinstance(error, Activity.Cancel):
        settling.decline(lease, attempt, str(error)[: settling.MAX_MESSAGE])
        return
    logger.warning(
        "Attempt %s of action %s in run %s failed",
        attempt.number,
        attempt.action.pk,
        attempt.work.run.pk,
        exc_info=error,
    )
    settling.fail(lease, attempt, error)


def _perform_group(lease: Lease, group: Sequence[Work]) -> list[Work]:
    """Serve the runs by one ``perform_many``; those of them that have further actions are returned."""
    action = group[0].open_actions[0]
    ready = [work for work in group if _has_context(lease, work)]
    if not ready:
        return []
    with performing(CurrentStep(depth=max(work.depth for work in ready), now=lease.moment)):
        try:
            lease.ensure(action.timeout)
            served = (_serve if action.atomic else _serve_outside)(lease, action, ready)
        except LeaseLost:
            logger.info("The %s runs before action %s were taken over or deleted", len(ready), action.pk)
            return []
        except Exception as error:
            if is_outage(error, lease.using):
                raise
            logger.warning("perform_many of action %s failed: one by one", action.pk, exc_info=error)
            for work in ready:
                _contained(perform_one, lease, work, action)
            return [work for work in ready if work.run.status == Run.Status.RUNNING]
    for attempt, result in served:
        if isinstance(result, Exception):
            _contained(_settle_error, lease, attempt, result)
        else:
            attempt.done(result)
    return [attempt.work for attempt, _ in served if attempt.work.run.status == Run.Status.RUNNING]


#: What became of each run served: its new fields, or the exception its user was answered with.
Served = list[tuple[Attempt, "settling.Fields | Exception"]]


def _serve(lease: Lease, action: Action, works: Sequence[Work]) -> Served:
    """One transaction: lock the runs, perform for those that are still ours, record."""
    with transaction.atomic(using=lease.using):
        held = lease.hold([work.run for work in works])
        attempts = [Attempt(work, action, lease.clock.now()) for work in works if work.run.pk in held]
        return _record(lease, attempts, _call_many(action, attempts))


def _serve_outside(lease: Lease, action: Action, works: Sequence[Work]) -> Served:
    """Perform outside a transaction, then record. An exception is every user's: their next attempts are single."""
    attempts = [Attempt(work, action, lease.clock.now()) for work in works]
    try:
        answers = _call_many(action, attempts)
    except Exception as error:
        return [(attempt, error) for attempt in attempts]
    with transaction.atomic(using=lease.using):
        held = lease.hold([work.run for work in works])
        kept = [pair for pair in zip(attempts, answers, strict=True) if pair[0].work.run.pk in held]
        return _record(lease, [attempt for attempt, _ in kept], [answer for _, answer in kept])


def _record(lease: Lease, attempts: Sequence[Attempt], answers: Sequence[Outcome | Exception]) -> Served:
    served: Served = []
    for attempt, answer in zip(attempts, answers, strict=True):
        if isinstance(answer, Exception):
            served.append((attempt, answer))
        else:
            served.append((attempt, _following(lease, attempt, answer)))
    settling.succeed_many(lease, [(attempt, r) for attempt, r in served if not isinstance(r, Exception)])
    return served


def _following(lease: Lease, attempt: Attempt, answer: Outcome) -> settling.Fields | Exception:
    """What one user's answer makes of the run; an answer that cannot be is an attempt that failed."""
    try:
        return outcomes.after_success(lease, attempt, _outcome(attempt.action, answer)[0])
    except ActionError as error:
        return error


def _contained(settle: Callable[..., None], lease: Lease, *arguments: Any) -> None:
    """One run of a group: that it was taken over does not concern the others."""
    try:
        settle(lease, *arguments)
    except LeaseLost:
        logger.info("A run was taken over or deleted under way")


def _has_context(lease: Lease, work: Work) -> bool:
    try:
        return work.user_context is not None
    except Exception as error:
        _contained(_settle_error, lease, Attempt(work, work.open_actions[0], lease.clock.now()), error)
        return False


def _call_many(action: Action, attempts: Sequence[Attempt]) -> Sequence[Outcome | Exception]:
    calls = [Call(attempt.work.user, dict(attempt.work.user_context), attempt.work.step_key) for attempt in attempts]
    with time_limit(action.timeout):
        answers = action.perform_many(calls)
    if answers is None:
        return [None] * len(calls)
    if len(answers) != len(calls):
        raise PermanentError(f"perform_many gave {len(answers)} answers to {len(calls)} calls.")
    return answers
