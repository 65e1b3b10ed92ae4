"""Definitions as they stand in the database now, a set of triggers at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from polymorphic.models import PolymorphicModel
from polymorphic.query import PolymorphicQuerySet

from triggers.models import Action, Condition, Event, Trigger

Model = TypeVar("Model", bound=PolymorphicModel)


def rows(model: type[Model], using: str) -> QuerySet[Model]:
    """The rows of the model's own table, whatever class each is of; no manager of a subclass leaves any out."""
    queryset: Any = PolymorphicQuerySet(model=model, using=using)
    return cast("QuerySet[Model]", queryset.non_polymorphic())


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


def load_definitions(trigger_ids: Collection[int], using: str) -> dict[int, Definition]:
    """The definitions of those triggers that exist, by id, in a number of queries that depends on classes alone."""
    triggers, _missing = load(rows(Trigger, using).filter(pk__in=trigger_ids))
    definitions = {trigger.pk: Definition(trigger) for trigger in triggers}
    conditions, missing_conditions = load(rows(Condition, using).filter(trigger__in=definitions).order_by("pk"))
    for condition in conditions:
        condition.trigger = definitions[condition.trigger_id].trigger
        definitions[condition.trigger_id].conditions.append(condition)
    actions, missing_actions = load(rows(Action, using).filter(trigger__in=definitions).order_by("position", "pk"))
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


def of_their_classes(model: type[Model], bases: Sequence[Model], using: str) -> tuple[list[Model], list[Model]]:
    """As :func:`load`, for rows of the model's own table that are at hand."""
    by_class: dict[type[Any] | None, list[Any]] = defaultdict(list)
    for base in bases:
        by_class[base.get_real_instance_class() if base.polymorphic_ctype_id else None].append(base)
    reals: dict[Any, Any] = {}
    for real_class, members in by_class.items():
        if real_class is model:
            reals.update((base.pk, base) for base in members)
        elif real_class is not None:
            found = rows(real_class, using).filter(pk__in=[base.pk for base in members])
            reals.update((real.pk, real) for real in found)
    return [reals[base.pk] for base in bases if base.pk in reals], [base for base in bases if base.pk not in reals]


def class_name(base: PolymorphicModel) -> str:
    """The class that the row was made by, whether or not it is installed."""
    if base.polymorphic_ctype_id is None:
        return f"{base._meta.label} {base.pk}"
    content_type = ContentType.objects.get_for_id(base.polymorphic_ctype_id)
    return f"{content_type.app_label}.{content_type.model}"
