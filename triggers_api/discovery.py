"""Which types of components there are here, and what is told of each."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.contenttypes.models import ContentType
from django.db.models import Count

from triggers import clock
from triggers.kinds import EventKind
from triggers.loading import rows
from triggers.models import Action, Condition, Event
from triggers.registry import component_types, description, label
from triggers_api import conf
from triggers_api.schema.components import example, json_schema
from triggers_api.serializers.definitions import serializer_class_for

KINDS: Final[dict[str, Any]] = {"event": Event, "condition": Condition, "action": Action}


def tell_types(*kinds: str) -> list[dict[str, Any]]:
    """The types of the kinds, or of all, as clients need them to set up components."""
    return [_tell(kind, model) for kind in kinds or KINDS for model in component_types(KINDS[kind])]


def tell_type(type_: str) -> dict[str, Any] | None:
    """One type; None if there is none of this name."""
    for kind, base in KINDS.items():
        for model in component_types(base):
            if label(model) == type_:
                return _tell(kind, model)
    return None


def tell_event_types() -> list[dict[str, Any]]:
    """What can be fired, and how many enabled triggers wait for it."""
    models = component_types(Event)
    types: Any = ContentType.objects.get_for_models(*models, for_concrete_models=False)
    counts = _enabled_triggers(Event, ["polymorphic_ctype"])
    told = []
    for model in models:
        kinds = list(model.kinds())
        columns = list(kinds[0].where) if kinds else []
        of_kinds = _enabled_triggers(model, columns) if columns else {(): counts.get((types[model].pk,), 0)}
        told += [_tell_kind(kind) | {"enabled_triggers": of_kinds.get(tuple(kind.where.values()), 0)} for kind in kinds]
    return told


def _enabled_triggers(model: type[Event], columns: list[str]) -> dict[tuple[Any, ...], int]:
    """How many enabled triggers have events of the model, by what these hold in the columns."""
    waiting = rows(model, clock.alias()).filter(trigger__is_enabled=True).values_list(*columns)
    return {tuple(values): number for *values, number in waiting.annotate(number=Count("trigger", distinct=True))}


def _tell_kind(kind: EventKind) -> dict[str, Any]:
    return {
        "type": kind.name,
        "title": kind.in_words,
        "description": kind.description or description(kind.model),
        "context_schema": kind.context_schema,
    }


def _tell(kind: str, model: Any) -> dict[str, Any]:
    serializer_class = serializer_class_for(model)
    schema = json_schema(serializer_class)
    permitted = conf.component_types()
    return _words(model) | {
        "kind": kind,
        "schema": schema,
        "example": example(schema, serializer_class.example),
        "may_be_made": permitted is None or label(model) in permitted,
    }


def _words(model: Any) -> dict[str, Any]:
    return _tell_kind(EventKind(label(model), model, context_schema=getattr(model, "context_schema", None)))
