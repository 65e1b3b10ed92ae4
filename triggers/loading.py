"""Definitions as they stand in the database now, a set of triggers at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from polymorphic.models import PolymorphicModel

from triggers import statements
from triggers.models import Action, Condition, Event, Trigger

Model = TypeVar("Model", bound=PolymorphicModel)


def rows(model: type[Model], using: str) -> QuerySet[Model]:
    """The rows of the model's own table, whatever class each is of; no manager of a subclass leaves any out."""
    # Not by django-polymorphic's own class, which takes as long to make a query as the database takes to answer it.
    return QuerySet(model=model, using=using)


@dataclass(frozen=True)
class Definition:
    """A trigger with its conditions and its actions in their order."""

    trigger: Trigger
    conditions: list[Condition] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    #: Components whose class is not installed any more.
    missing: list[str] = field(default_factory=list)
    #: Components that are made of a snapshot, and whose own rows with their secrets are gone.
    without_secrets: list[Event | Condition | Action] = field(default_factory=list)

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


def load_definitions(
    trigger_ids: Collection[int], using: str, bases: Sequence[Trigger] | None = None, *, to_fire: bool = False
) -> dict[int, Definition]:
    """
    The definitions of those triggers that exist, by id, in a number of queries that depends on classes alone.

    ``bases`` are the triggers' :func:`rows`, where they are at hand. ``to_fire`` leaves actions as rows of Action whose
    classes have nothing to say when an event is fired.
    """
    if bases is None:
        bases = statements.select(Trigger, using, {"id": trigger_ids})
    triggers, _missing = of_their_classes(Trigger, bases, using)
    definitions = {trigger.pk: Definition(trigger) for trigger in triggers}
    condition_rows = sorted(statements.select(Condition, using, {"trigger": definitions}), key=lambda row: row.pk)
    conditions, missing_conditions = of_their_classes(Condition, condition_rows, using)
    for condition in conditions:
        condition.trigger = definitions[condition.trigger_id].trigger
        definitions[condition.trigger_id].conditions.append(condition)
    action_rows = statements.select(Action, using, {"trigger": definitions})
    action_rows.sort(key=lambda row: (row.position, row.pk))
    actions, missing_actions = of_their_classes(Action, action_rows, using, _says_what_it_awaits if to_fire else _any)
    for action in actions:
        definition = definitions[action.trigger_id or 0]
        action.trigger = definition.trigger
        definition.actions.append(action)
    missing: list[Condition | Action] = [*missing_conditions, *missing_actions]
    for component in missing:
        definitions[component.trigger_id or 0].missing.append(class_name(component))
    return definitions


def load(bases: QuerySet[Model]) -> tuple[list[Model], list[Model]]:
    """
    The :func:`rows` as instances of their own classes, in the same order; and those whose class is not installed, or
    whose row in the class's own table is gone.

    django-polymorphic leaves out the former and answers the latter as instances of the base class, on which a
    condition would hold for everybody.
    """
    return of_their_classes(bases.model, list(bases), bases.db)


def _any(model: type[Any]) -> bool:
    return True


def _says_what_it_awaits(model: type[Any]) -> bool:
    return model.awaited_types is not Action.awaited_types


def of_their_classes(
    model: type[Model], bases: Sequence[Model], using: str, is_needed: Callable[[type[Any]], bool] = _any
) -> tuple[list[Model], list[Model]]:
    """As :func:`load`, for rows of the model's own table that are at hand; where a class is not needed, as they are."""
    by_class: dict[type[Any] | None, list[Any]] = defaultdict(list)
    for base in bases:
        by_class[base.get_real_instance_class() if base.polymorphic_ctype_id else None].append(base)
    reals: dict[Any, Any] = {}
    for real_class, members in by_class.items():
        if real_class is model or (real_class is not None and not is_needed(real_class)):
            reals.update((base.pk, base) for base in members)
        elif real_class is not None:
            key = real_class._meta.pk.name
            found = statements.select(real_class, using, {key: [base.pk for base in members]})
            reals.update((real.pk, real) for real in found)
    return [reals[base.pk] for base in bases if base.pk in reals], [base for base in bases if base.pk not in reals]


def class_name(base: PolymorphicModel) -> str:
    """The class that the row was made by, whether or not it is installed."""
    if base.polymorphic_ctype_id is None:
        return f"{base._meta.label} {base.pk}"
    content_type = ContentType.objects.get_for_id(base.polymorphic_ctype_id)
    return f"{content_type.app_label}.{content_type.model}"
