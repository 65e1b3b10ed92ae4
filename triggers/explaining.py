"""
What an event would do, without its happening: the same evaluator that decides for live runs, and nothing is written.

Live runs stop at the first condition that does not hold; here every one is asked, also of triggers that cannot start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from triggers import clock
from triggers.audiences import (
    Audience,
    NamedAudience,
    NamedUsers,
    QueriedUsers,
    audience_of,
    filterable,
    keys_in,
)
from triggers.evaluation import (
    Decision,
    activities_of,
    asks_user_by_user,
    filters_users,
    guarded,
    is_outage,
    kept_out,
    not_allowed,
)
from triggers.evaluation import (
    users as everybody,
)
from triggers.exceptions import AudienceTooLarge, UsersTooMany
from triggers.expansion import Match
from triggers.models import Activity, Condition, Event
from triggers.recording import MATCHED, Firing, match_events, new_occurrence
from triggers.registry import what_happens

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Context = Callable[[], Mapping[str, Any]]

#: How many users one call explains at most.
MAX_USERS: Final = 100


@dataclass(frozen=True)
class Report:
    """What one condition says of one user."""

    condition: Condition
    holds: bool
    #: What the condition asks for, and what was found; blank where it cannot say.
    required: str
    observed: str
    #: Why it does not hold, as a stable code and a sentence.
    code: str = ""
    detail: str = ""
    #: When it will hold if nothing else happens; None: it does, or never, or that is unknown.
    possible_at: datetime | None = None


@dataclass(frozen=True)
class Explanation:
    """What one configured event would do for one user."""

    event_id: int
    trigger_id: int
    trigger_name: str
    user: Any
    would_run: bool
    code: str
    detail: str
    due_at: datetime | None = None
    reports: list[Report] = field(default_factory=list)
    #: The condition for which the run would be skipped.
    decided_by: Condition | None = None


def explain(
    event: type[Event] | str | Event,
    *,
    users: Any = None,
    audience: str | None = None,
    context: Mapping[str, Any] | None = None,
    occurred_at: datetime | None = None,
    delay: timedelta | None = None,
    scheduled_at: datetime | None = None,
) -> list[Explanation]:
    """
    What :func:`triggers.fire` would do by the same arguments now, for each configured event that is meant and each
    user who exists.

    Raises what ``fire`` raises; UsersTooMany or AudienceTooLarge for more than ``MAX_USERS`` users; AudienceError for
    a named audience that cannot be read.
    """
    using = clock.alias()
    kind, configured = what_happens(event)
    few = _few(audience_of(users, audience, using), using)
    firing = Firing(
        kind=kind,
        event=configured,
        audience=few,
        context={} if context is None else context,
        occurred_at=occurred_at,
        delay=delay,
        scheduled_at=scheduled_at,
    )
    occurrence = new_occurrence(firing)
    matches = match_events(firing, occurrence, using)
    people = _people(few, using)
    found: list[Explanation] = []
    for match in matches:
        found += _of_match(match, firing, people, using)
    return found


def _few(audience: Audience, using: str) -> NamedUsers:
    """The users of the audience, one by one. Raises UsersTooMany or AudienceTooLarge."""
    sentence = f"At most {MAX_USERS} users can be explained at once."
    if isinstance(audience, NamedAudience):
        keys = keys_in(audience.name, using, limit=MAX_USERS + 1)
        if len(keys) > MAX_USERS:
            raise AudienceTooLarge(f"The audience “{audience.name}” has more. {sentence}")
        return NamedUsers(keys, using)
    if isinstance(audience, QueriedUsers):
        queryset = filterable(audience.queryset, using)
        audience = NamedUsers(queryset.order_by("pk").values_list("pk", flat=True).distinct()[: MAX_USERS + 1], using)
    if len(audience.keys) > MAX_USERS:
        raise UsersTooMany(sentence)
    return audience


def _people(audience: NamedUsers, using: str) -> list[Any]:
    found = {user.pk: user for user in everybody(using).filter(pk__in=audience.keys)}
    return [found[key] for key in audience.keys if key in found]


def _of_match(match: Match, firing: Firing, people: list[Any], using: str) -> list[Explanation]:
    """In the order in which live runs decide: who fires asks those that filter querysets, the worker the others."""
    trigger, conditions = match.definition.trigger, match.definition.conditions
    keys = [user.pk for user in people]
    activities = activities_of(trigger.pk, keys, using)
    by_filter = {condition.pk: kept_out(condition, keys, using) for condition in conditions if filters_users(condition)}
    by_trigger = kept_out(trigger, keys, using) if filters_users(trigger) else {}
    explanations = []
    for user in people:
        left_out = {pk: decisions[user.pk] for pk, decisions in by_filter.items() if user.pk in decisions}
        context = partial(match.event.get_user_context, user, dict(firing.context))
        denied = _denied(conditions, context, user)
        deciding = [*left_out.values(), *([by_trigger[user.pk]] if user.pk in by_trigger else []), *denied.values()]
        happened = match.note["code"] == MATCHED
        decision = deciding[0] if happened and deciding else None
        explanations.append(
            Explanation(
                match.event.pk,
                trigger.pk,
                trigger.name,
                user,
                would_run=happened and decision is None,
                code=decision.code if decision else match.note["code"],
                detail=decision.detail if decision else match.note["detail"],
                due_at=match.due_at,
                reports=[
                    _report(
                        condition,
                        {**denied, **left_out}.get(condition.pk),
                        user,
                        activities.get(user.pk),
                        context,
                        using,
                    )
                    for condition in conditions
                ],
                decided_by=decision.condition if decision else None,
            )
        )
    return explanations


def _denied(conditions: Collection[Condition], context: Context, user: Any) -> dict[int, Decision]:
    """What the conditions written in Python have against the user."""
    asked = [condition for condition in conditions if asks_user_by_user(condition)]
    decisions = {condition.pk: not_allowed(condition, user, context) for condition in asked}
    return {pk: decision for pk, decision in decisions.items() if decision}


def _report(
    condition: Condition,
    decision: Decision | None,
    user: Any,
    activity: Activity | None,
    context: Context,
    using: str,
) -> Report:
    def said(question: Callable[[], Result], otherwise: Result) -> Result:
        try:
            return guarded(question, using)
        except Exception as error:
            if is_outage(error, using):
                raise
            logger.warning("Condition %s could not be asked what it found", condition.pk, exc_info=error)
            return otherwise

    required = said(lambda: str(condition.requirement), str(condition))
    found = said(lambda: str(condition.observe_in(user, context(), activity)), "")
    if decision is None:
        return Report(condition, True, required, found)
    possible_at = None
    if decision.code == condition.code:
        possible_at = said(lambda: condition.possible_at(user, activity), None)
    return Report(condition, False, required, found, decision.code, decision.detail, possible_at)
