"""The components of triggers in words, a list of triggers at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from triggers import clock, durations
from triggers.enabling import not_installed
from triggers.loading import load, rows
from triggers.models import Action, Condition, Event, Trigger

Kind = type[Event] | type[Condition] | type[Action]


class Parts:
    """The components of some triggers in words, in a number of queries that depends on their classes alone."""

    def __init__(self, triggers: Collection[Trigger]) -> None:
        self._lines: dict[tuple[Kind, int], list[str]] = defaultdict(list)
        orders: dict[Kind, tuple[str, ...]] = {Event: ("pk",), Condition: ("pk",), Action: ("position", "pk")}
        for kind, order in orders.items():
            found, missing = load(rows(kind, clock.alias()).filter(trigger__in=triggers).order_by(*order))
            for component in found:
                self._lines[kind, component.trigger_id or 0].append(in_words(component))
            for component in missing:
                self._lines[kind, component.trigger_id or 0].append(not_installed(component))

    def of(self, kind: Kind, trigger: Trigger) -> list[str]:
        return self._lines[kind, trigger.pk]


def in_words(component: Event | Condition | Action) -> str:
    """The component as a line in a list."""
    text = str(component)
    if isinstance(component, Event) and component.delay:
        text = _("%(event)s, %(delay)s later") % {"event": text, "delay": durations.in_words(component.delay)}
    return str(capfirst(text))
