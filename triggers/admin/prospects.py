"""What an event would do, in words: for each trigger and user whether it would start, and what every condition says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from triggers import clock
from triggers.admin.narrative import moment, why_not_started
from triggers.admin.parts import Parts, in_words
from triggers.explaining import Explanation, Report
from triggers.loading import load, rows
from triggers.models import Action, Event, Trigger


@dataclass(frozen=True)
class Answer:
    """What one condition says of a user."""

    holds: bool
    words: str


@dataclass(frozen=True)
class Prospect:
    """What would happen to a user."""

    user: Any
    would_run: bool
    words: str
    answers: list[Answer]


@dataclass(frozen=True)
class Candidate:
    """A configured event, the actions of its trigger, and what it would do for each user."""

    trigger_name: str
    event: str
    actions: list[str]
    prospects: list[Prospect] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """For how many it would start, and what would be done for them."""
        count = sum(prospect.would_run for prospect in self.prospects)
        text = _("It would start for %(count)d of %(all)d users.") % {"count": count, "all": len(self.prospects)}
        if not count:
            return text
        actions = "; ".join(f"{number}. {action}" for number, action in enumerate(self.actions, 1))
        return text + " " + _("What would be done: %(actions)s.") % {"actions": actions}


def candidates(explanations: Sequence[Explanation]) -> list[Candidate]:
    """The explanations by configured event, in a number of queries that depends on classes alone."""
    events, _missing = load(rows(Event, clock.alias()).filter(pk__in={each.event_id for each in explanations}))
    names = {event.pk: in_words(event) for event in events}
    triggers = list(rows(Trigger, clock.alias()).filter(pk__in={each.trigger_id for each in explanations}))
    parts = Parts(triggers)
    actions = {trigger.pk: parts.of(Action, trigger) for trigger in triggers}
    found: dict[int, Candidate] = {}
    for each in explanations:
        new = Candidate(each.trigger_name, names.get(each.event_id, ""), actions.get(each.trigger_id, []))
        found.setdefault(each.event_id, new).prospects.append(_prospect(each))
    return list(found.values())


def _prospect(explanation: Explanation) -> Prospect:
    answers = [Answer(report.holds, _answer(report)) for report in explanation.reports]
    return Prospect(explanation.user, explanation.would_run, _what_would_happen(explanation), answers)


def _what_would_happen(explanation: Explanation) -> str:
    if explanation.would_run and explanation.due_at:
        return _("Would start on %(moment)s.") % {"moment": moment(explanation.due_at)}
    if explanation.would_run:
        return _("Would start at once.")
    if explanation.code == "condition_failed" and explanation.decided_by is None:
        return explanation.detail  # the trigger's own filter
    return _("Would not start: %(reason)s") % {"reason": why_not_started(explanation.code, explanation.detail)}


def _answer(report: Report) -> str:
    """The condition, what it requires if that says more than its name, and what was observed."""
    if report.code == "condition_error":
        return report.detail
    name = str(report.condition)
    facts = []
    if report.required != name:
        facts.append(_("required: %(required)s") % {"required": report.required})
    if report.observed:
        facts.append(_("observed: %(observed)s") % {"observed": report.observed})
    return f"{capfirst(name)} ({', '.join(facts)})" if facts else str(capfirst(name))
