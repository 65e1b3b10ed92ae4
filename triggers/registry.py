"""Component types: which Event, Condition and Action classes the installed apps define, by their labels."""

from __future__ import annotations

import inspect
from typing import Any, Final

from django.apps import apps
from django.db.models import Model

from triggers.exceptions import UnknownEventType
from triggers.kinds import EventKind
from triggers.models import Action, Condition, Event, Trigger

_BASES: Final = (Trigger, Event, Condition, Action)


def label(model: type[Model] | Model) -> str:
    """The type of a component: its Django label, ``app.ClassName``."""
    return model._meta.label


def what_happens(event: type[Event] | str | Event) -> tuple[EventKind, Event | None]:
    """
    What is meant by an Event class, a name, or one configured event: the kind, and the event if it is one.

    Raises UnknownEventType.
    """
    if not isinstance(event, Event):
        return event_kind(event), None
    if event.pk is None:
        raise UnknownEventType(f"The event “{event}” is not saved: it belongs to no trigger.")
    if type(event) is Event:
        raise UnknownEventType(_BASE)
    return event.kind, event


def component_types(kind: type[Model]) -> list[type[Any]]:
    """The classes below the kind (Trigger, Event, Condition or Action) that installed apps define, by label."""
    return sorted((model for model in apps.get_models() if issubclass(model, kind) and model is not kind), key=label)


def description(model: type[Model]) -> str:
    """
    The docstring of the class, or of the nearest class of a component that it extends.

    Blank where nobody wrote one: the bases' own are for developers, and Django makes one up from the fields.
    """
    for cls in model.__mro__:
        if cls in _BASES:
            break
        text = cls.__dict__.get("__doc__") or ""
        if issubclass(cls, _BASES) and text and not text.startswith(f"{cls.__name__}("):
            return inspect.cleandoc(text)
    return ""


def event_kinds() -> list[EventKind]:
    """All that can be fired, class by class."""
    return [kind for model in component_types(Event) for kind in model.kinds()]


def event_kind(named: type[Event] | str) -> EventKind:
    """
    What can be fired by that name, or by the label of that class.

    Raises UnknownEventType when there is no such event.
    """
    model: object = named
    if isinstance(named, str):
        model = _installed(named)
        if model is None or label(model) != named:
            return _kind_of_some_class(named, model)
    if not (isinstance(model, type) and issubclass(model, Event)):
        raise UnknownEventType(f"{named!r} is not an event type: it must be a subclass of Event.")
    if model is Event:
        raise UnknownEventType(_BASE)
    kind = model.kind_named(label(model))
    if kind is None:
        raise UnknownEventType(f"Events of {label(model)} are fired by the names of their types: name one of those.")
    return kind


_BASE: Final = "Name a subclass of Event: Event itself never happens."


def _installed(name: str) -> type[Model] | None:
    try:
        return apps.get_model(name)
    except (LookupError, ValueError):
        return None


def has_names(model: type[Event]) -> bool:
    """Whether events of the class are fired by other names than its label."""
    own: Any = Event.kind_named
    of_model: Any = model.kind_named
    return of_model.__func__ is not own.__func__


def _kind_of_some_class(name: str, close: type[Model] | None) -> EventKind:
    for model in filter(has_names, component_types(Event)):
        kind: EventKind | None = model.kind_named(name)
        if kind is not None:
            return kind
    hint = f"; did you mean “{label(close)}”?" if close else "."
    raise UnknownEventType(f"No installed event type is called “{name}”{hint}")
