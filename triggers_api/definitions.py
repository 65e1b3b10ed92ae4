"""The components of triggers, a list of triggers at a time, and by which they are known to have changed."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db.models import prefetch_related_objects
from polymorphic.models import PolymorphicModel

from triggers import clock
from triggers.loading import class_name, load, of_their_classes, rows
from triggers.models import Action, Condition, Event, Trigger
from triggers.registry import component_types, label

_ORDER: Final[dict[type[Any], tuple[str, ...]]] = {Event: ("pk",), Condition: ("pk",), Action: ("position", "pk")}


class Components:
    """What one trigger is made of."""

    def __init__(self) -> None:
        self._of: dict[type[Any], list[Any]] = {kind: [] for kind in _ORDER}
        #: Classes of parts, or of the trigger itself, that are not installed.
        self.missing: list[str] = []

    def of(self, kind: type[PolymorphicModel]) -> list[Any]:
        return self._of[kind]


def as_what_they_are(bases: Sequence[Trigger]) -> list[Trigger]:
    """The triggers, each of its own class; as plain triggers where that is not installed."""
    found, missing = of_their_classes(Trigger, bases, clock.alias())
    by_key = {trigger.pk: trigger for trigger in (*missing, *found)}
    return [by_key[base.pk] for base in bases]


def load_components(triggers: Sequence[Trigger]) -> None:
    """Each of the triggers has its components at hand, in a number of queries that depends on their classes alone."""
    using = clock.alias()
    components: dict[int, Components] = {trigger.pk: Components() for trigger in triggers}
    for kind, order in _ORDER.items():
        found, missing = load(rows(kind, using).filter(trigger__in=list(components)).order_by(*order))
        _load_related(found)
        for component in found:
            components[component.trigger_id].of(kind).append(component)
        for component in missing:
            components[component.trigger_id].missing.append(class_name(component))
    for trigger in triggers:
        if trigger.polymorphic_ctype_id is None or trigger.get_real_instance_class() is not type(trigger):
            components[trigger.pk].missing.append(class_name(trigger))
        trigger._components = components[trigger.pk]  # type: ignore[attr-defined]


def components_of(trigger: Trigger) -> Components:
    """The trigger's components, loaded when they are first asked for."""
    if not hasattr(trigger, "_components"):
        load_components([trigger])
    components: Components = trigger._components  # type: ignore[attr-defined]
    return components


def forget_components(trigger: Trigger) -> None:
    """The components have changed."""
    trigger.__dict__.pop("_components", None)


def etag(told: Any) -> str:
    """The entity tag of what is told of something: another as soon as anything in it differs that was set."""
    text = json.dumps(_as_set(told), sort_keys=True, separators=(",", ":"), default=str)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def _as_set(told: Any) -> Any:
    """What is told of a trigger, without what its events keep or work out themselves; all else as it is."""
    if not isinstance(told, dict) or not isinstance(told.get("events"), list):
        return told
    state = {label(model): model.state_fields for model in component_types(Event) if model.state_fields}
    left_out = [state.get(event.get("type"), ()) for event in told["events"]]
    events = zip(told["events"], left_out, strict=True)
    return told | {"events": [{name: event[name] for name in event if name not in left} for event, left in events]}


def _load_related(components: Iterable[PolymorphicModel]) -> None:
    """Related rows that a serializer tells of, for all components of a class at once."""
    by_class: dict[type[Any], list[Any]] = defaultdict(list)
    for component in components:
        by_class[type(component)].append(component)
    for model, members in by_class.items():
        people = [field for field in model._meta.fields if field.related_model is get_user_model()]
        if fields := [*people, *model._meta.many_to_many]:
            prefetch_related_objects(members, *(field.name for field in fields))
