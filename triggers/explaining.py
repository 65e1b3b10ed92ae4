"""
What an event would do, without its happening: the same evaluator that decides for live runs, and nothing is written.

Live runs stop at the first condition that does not hold; here every one is asked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from triggers import clock
from triggers.audiences import NamedUsers
from triggers.evaluation import (
    Decision,
    activities_of,
    asks_user_by_user,
    filters_users,
    is_outage,
    kept_out,
    not_allowed,
    observed,
    users,
)
from triggers.expansion import Match
from triggers.models import Activity, Condition, Event
from triggers.recording import MATCHED, Firing, match_events, new_occurrence
from triggers.registry import what_happens

logger = logging.getLogger(__name__)

#: How many users one call explains at most.
MAX_USERS: Final = 100


@dataclass(frozen=True)
class Report:
    """What one condition says of one user."""

    condition: Condition
    holds: bool
    required: str
    observed: str
    detail: str = ""


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


def explain(
    event: type[Event] | str | Event,
    *,
    users: Any,
    context: Mapping[str, Any] | None = None,
) -> list[Explanation]:
    """
    What firing the event now would do, for each configured event that is meant and each user who exists.

    Raises what ``fire`` raises, and ValueError for more than ``MAX_USERS`` users.
    """
    using = clock.alias()
    audience = NamedUsers(users if isinstance(users, list | tuple) else [users], using)
    if len(audience.keys) > MAX_USERS:
        raise ValueError(f"At most {MAX_USERS} users can be explained at once.")
    type_, configured = what_happens(event)
    firing = Firing(type=type_, event=configured, audience=audience, context={} if context is None else context)
    occurrence = new_occurrence(firing)
    matches = {match.event.pk: match for match in match_events(firing, occurrence, using)}
    people = _people(audience, using)
    explanations: list[Explanation] = []
    for note in occurrence.matches:
        if note["code"] == MATCHED:
            explanations += _of_match(matches[note["event"]], firing, people, using)
        else:
            explanations += [
                Explanation(
                    note["event"], note["trigger"], note["trigger_name"], user, False, note["code"], note["detail"]
                )
                for user in people
            ]
    return explanations


def _people(audience: NamedUsers, using: str) -> list[Any]:
    found = {user.pk: user for user in users(using).filter(pk__in=audience.keys)}
    return [found[key] for key in audience.keys if key in found]


def _of_match(match: Match, firing: Firing, people: list[Any], using: str) -> list[Explanation]:
    keys = [user.pk for user in people]
    trigger = match.definition.trigger
    activities = activities_of(trigger.pk, keys, using)
    decisions = {
        condition.pk: kept_out(condition, keys, using)
        for condition in match.definition.conditions
        if filters_users(condition)
    }
    by_trigger = kept_out(trigger, keys, using) if filters_users(trigger) else {}
    explanations = []
    for user in people:
        reports = []
        first: Decision | None = None
        for condition in match.definition.conditions:
            decision = decisions.get(condition.pk, {}).get(user.pk)
            if decision is None and asks_user_by_user(condition):
                decision = not_allowed(condition, user, lambda user=user: _context(match, firing, user))  # type: ignore[misc]
            reports.append(_report(condition, decision, user, activities.get(user.pk), using))
            first = first or decision
        first = first or by_trigger.get(user.pk)
        explanations.append(
            Explanation(
                match.event.pk,
                trigger.pk,
                trigger.name,
                user,
                would_run=first is None,
                code=first.code if first else MATCHED,
                detail=first.detail if first else "",
                due_at=match.due_at,
                reports=reports,
            )
        )
    return explanations


def _context(match: Match, firing: Firing, user: Any) -> Mapping[str, Any]:
    return dict(match.event.get_user_context(user, dict(firing.context)))


def _report(
    condition: Condition, decision: Decision | None, user: Any, activity: Activity | None, using: str
) -> Report:
    if decision is not None:
        return Report(condition, False, decision.required, decision.observed, decision.detail)
    try:
        return Report(condition, True, str(condition.requirement), observed(condition, user, activity, using))
    except Exception as error:
        if is_outage(error, using):
            raise
        logger.warning("Condition %s could not say what it observed", condition.pk, exc_info=error)
        return Report(condition, True, str(condition), "")
