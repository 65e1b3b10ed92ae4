"""Definitions as they stand in the database now, a set of triggers at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import models
from polymorphic.models import PolymorphicModel

from triggers.models import Action, Condition, Event, Trigger

Component = TypeVar("Component", Action, Condition, Event, Trigger)


@dataclass(frozen=True)
class Definition:
    """A trigger with its conditions and its actions in their order."""

    trigger: Trigger
    conditions: list[Condition] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    #: Components whose class is not installed any more.
    missing: list[str] = field(default_factory=list)

    @property
    def obstacle(self) -> tuple[str, str] | None:
        """Why nobody's run can start now, as code and sentence; None if it can."""
        if not self.trigger.is_enabled:
            return "trigger_disabled", f"The trigger “{self.trigger}” is not enabled."
        if self.missing:
            return "component_missing", (
                f"The trigger “{self.trigger}” has a part whose class is not installed: {', '.join(self.missing)}."
            )
        if not self.actions:
            return "trigger_incomplete", f"The trigger “{self.trigger}” has no action."
        return None


def load_definitions(trigger_ids: Collection[int], using: str) -> dict[int, Definition]:
    """The definitions of those triggers that exist, by id, in a number of queries that depends on classes alone."""
    triggers, _ = load(Trigger, _rows(Trigger, using).filter(pk__in=trigger_ids))
    definitions = {trigger.pk: Definition(trigger) for trigger in triggers}
    for trigger_id, condition, name in _of_triggers(Condition, definitions, using):
        definition = definitions[trigger_id]
        if condition is None:
            definition.missing.append(name)
        else:
            condition.trigger = definition.trigger
            definition.conditions.append(condition)
    for trigger_id, action, name in _of_triggers(Action, definitions, using):
        definition = definitions[trigger_id]
        if action is None:
            definition.missing.append(name)
        else:
            action.trigger = definition.trigger
            definition.actions.append(action)
    return definitions


def _of_triggers(
    model: type[Component], trigger_ids: Iterable[int], using: str
) -> list[tuple[int, Component | None, str]]:
    order = model._meta.ordering or ("pk",)
    rows = _rows(model, using).filter(trigger_id__in=list(trigger_ids)).order_by(*order)
    found, missing = load(model, rows)
    return [(item.trigger_id, item, "") for item in found] + [  # type: ignore[union-attr,misc]
        (row.trigger_id, None, name)  # type: ignore[union-attr,misc]
        for row, name in missing
    ]


def load(model: type[Component], rows: Iterable[Component]) -> tuple[list[Component], list[tuple[Component, str]]]:
    """
    The rows as instances of their own classes, in the same order; and those whose class or whose row in the
    class's own table is gone, each with the name of the class.

    django-polymorphic leaves out the former and answers the latter as instances of the base class, on which a
    condition would hold for everybody.
    """
    bases = list(rows)
    by_class: dict[type[PolymorphicModel] | None, list[Component]] = defaultdict(list)
    for base in bases:
        by_class[base.get_real_instance_class() if base.polymorphic_ctype_id else None].append(base)
    reals: dict[int, Component] = {}
    for real_class, members in by_class.items():
        if real_class is model:
            reals.update((base.pk, base) for base in members)
        elif real_class is not None:
            using = members[0]._state.db
            found = _rows(real_class, using).filter(pk__in=[base.pk for base in members])
            reals.update((real.pk, real) for real in found)
    missing = [(base, _class_name(base)) for base in bases if base.pk not in reals]
    return [reals[base.pk] for base in bases if base.pk in reals], missing


def _rows(model: type[Any], using: str) -> models.QuerySet[Any]:
    return model._base_manager.using(using).non_polymorphic()


def _class_name(base: PolymorphicModel) -> str:
    content_type = base.polymorphic_ctype
    return f"{content_type.app_label}.{content_type.model}" if content_type else f"{base._meta.label} {base.pk}"
