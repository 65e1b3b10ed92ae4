"""Component types: which Event, Condition and Action classes the installed apps define, by their labels."""

from __future__ import annotations

import inspect
from typing import Any, Final

from django.apps import apps
from django.db.models import Model

from triggers.exceptions import UnknownEventType
from triggers.models import Action, Condition, Event, Trigger

_BASES: Final = (Trigger, Event, Condition, Action)


def label(model: type[Model] | Model) -> str:
    """The type of a component: its Django label, ``app.ClassName``."""
    return model._meta.label


def what_happens(event: type[Event] | str | Event) -> tuple[type[Event], Event | None]:
    """
    What is meant by an Event class, its label, or one configured event: the class, and the event if it is one.

    Raises UnknownEventType.
    """
    if not isinstance(event, Event):
        return event_type(event), None
    if event.pk is None:
        raise UnknownEventType(f"The event “{event}” is not saved: it belongs to no trigger.")
    return event_type(type(event)), event


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


def event_type(type_: type[Event] | str) -> type[Event]:
    """
    The Event class that was named by itself or by its label.

    Raises UnknownEventType when no installed Event class has the label.
    """
    model: object = type_
    if isinstance(type_, str):
        try:
            model = apps.get_model(type_)
        except (LookupError, ValueError):
            raise UnknownEventType(f"No installed event type is called “{type_}”.") from None
        if label(model) != type_:
            raise UnknownEventType(f"No installed event type is called “{type_}”; did you mean “{label(model)}”?")
    if not (isinstance(model, type) and issubclass(model, Event)):
        raise UnknownEventType(f"{type_!r} is not an event type: it must be a subclass of Event.")
    if model is Event:
        raise UnknownEventType("Name a subclass of Event: Event itself never happens.")
    return model
