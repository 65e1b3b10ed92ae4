"""A field that names what can be fired: in the admin a list to choose from, over HTTP a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy

from triggers.exceptions import UnknownEventType
from triggers.registry import event_kind, event_kinds

if TYPE_CHECKING:
    CharField = models.CharField[str, str]
else:
    CharField = models.CharField


def title_of(name: str) -> str:
    """What people call what is fired by the name; the name itself where it is unknown."""
    try:
        return event_kind(name).in_words
    except UnknownEventType:
        return name


def check_name(name: str) -> None:
    """Raise ValidationError unless an event can be fired by the name."""
    try:
        event_kind(name)
    except UnknownEventType:
        message = EventNameField.default_error_messages["invalid_choice"]
        raise ValidationError(message, "invalid_choice", {"value": name}) from None


class EventNameField(CharField):
    """The name of something that can be fired here: the label of an Event class, or one that somebody has given."""

    default_validators = [check_name]
    default_error_messages = {"invalid_choice": gettext_lazy("There is no event type “%(value)s” here.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 200)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        """As a text: what there is to choose from is no matter of the database."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs

    def formfield(self, **kwargs: Any) -> Any:
        return forms.ChoiceField(
            choices=_choices, required=not self.blank, label=capfirst(self.verbose_name), help_text=self.help_text
        )


def _choices() -> list[tuple[str, str]]:
    return [("", "---------"), *((kind.name, kind.in_words) for kind in event_kinds())]
