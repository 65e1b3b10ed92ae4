"""What is asked for to fire an event, or to explain what it would do: which one, for whom, and what is known of it."""

from __future__ import annotations

import json
from typing import Any, Final

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from triggers import clock
from triggers.admin.narrative import type_in_words
from triggers.admin.parts import in_words
from triggers.admin.people import meant_by
from triggers.context import encode
from triggers.exceptions import ContextInvalid
from triggers.explaining import MAX_USERS
from triggers.loading import load, rows
from triggers.models import Event, Trigger
from triggers.registry import label

_THIS: Final = "event"
_ALL: Final = "type"


class UsersField(forms.CharField):
    """Users, each named on a line of its own; cleaned to a list of them."""

    widget = forms.Textarea({"rows": 3, "class": "vLargeTextField"})

    def clean(self, value: Any) -> list[Any]:
        lines = (line.strip() for line in super().clean(value).splitlines())
        names = list(dict.fromkeys(line for line in lines if line))
        if len(names) > MAX_USERS:
            raise forms.ValidationError(
                _("Name at most %(limit)d users; these are %(count)d.") % {"limit": MAX_USERS, "count": len(names)},
                "too_many",
            )
        meanings = meant_by(names)
        problems = [_problem(name, meanings[name]) for name in names if len(meanings[name]) != 1]
        if problems:
            raise forms.ValidationError([forms.ValidationError(problem, "user") for problem in problems])
        return list({user.pk: user for name in names for user in meanings[name]}.values())


def _problem(name: str, users: list[Any]) -> str:
    if not users:
        return _("Nobody has “%(name)s” as user name, e-mail address or key.") % {"name": name}
    people = ", ".join(_("%(user)s (key %(key)s)") % {"user": user, "key": user.pk} for user in users)
    return _("“%(name)s” may be any of %(people)s: write the key.") % {"name": name, "people": people}


class ContextField(forms.CharField):
    """A context, written as a JSON object; cleaned to a dictionary that can be stored."""

    widget = forms.Textarea({"rows": 3, "class": "vLargeTextField triggers-code", "spellcheck": "false"})

    def clean(self, value: Any) -> dict[str, Any]:
        text = super().clean(value)
        try:
            context = json.loads(text or "{}", object_pairs_hook=_without_repeats)
            encode(context)
        except json.JSONDecodeError as error:
            problem = _("This is not JSON, from line %(line)d, column %(column)d on: %(reason)s.") % {
                "line": error.lineno,
                "column": error.colno,
                "reason": error.msg,
            }
            raise forms.ValidationError(problem, "invalid") from None
        except RecursionError:
            raise forms.ValidationError(_("The context is nested too deeply."), "invalid") from None
        except ContextInvalid as error:
            raise forms.ValidationError(str(error), error.code) from None
        except ValueError as error:  # a number of thousands of digits
            raise forms.ValidationError(str(error), "invalid") from None
        result: dict[str, Any] = context
        return result


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; of two values under one key neither is what was meant."""
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = [key for key, _value in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ContextInvalid(_("The key “%(key)s” is there twice.") % {"key": twice})
    return result


class FiringForm(forms.Form):
    """One of the trigger's events, or its type for all triggers; users; context."""

    event = forms.ChoiceField(label=gettext_lazy("Event"))
    users = UsersField(
        label=gettext_lazy("Users"),
        help_text=gettext_lazy("User names, e-mail addresses or keys, one per line, at most %d.") % MAX_USERS,
    )
    context = ContextField(
        label=gettext_lazy("Context"),
        required=False,
        help_text=gettext_lazy("What is known of what happened, as a JSON object; may be left blank."),
    )

    def __init__(self, trigger: Trigger, data: Any = None) -> None:
        super().__init__(data)
        events, _missing = load(rows(Event, clock.alias()).filter(trigger=trigger).order_by("pk"))
        self._events = {f"{_THIS}:{event.pk}": event for event in events}
        self._types = {f"{_ALL}:{label(event)}": type(event) for event in events}
        for_all = [(value, str(capfirst(type_in_words(label(model))))) for value, model in self._types.items()]
        choices = [
            (_("For this trigger only"), list(zip(self._events, _told_apart(events), strict=True))),
            (_("For all triggers that use the event"), for_all),
        ]
        event_field: Any = self.fields["event"]
        event_field.choices = choices

    @property
    def has_events(self) -> bool:
        return bool(self._events)

    @property
    def chosen_event(self) -> Event | type[Event]:
        """The one event of the trigger that was chosen, or its type, for all triggers."""
        chosen = self.cleaned_data["event"]
        return self._events.get(chosen) or self._types[chosen]

    @property
    def choice_in_words(self) -> str:
        for group, choices in self.fields["event"].choices:  # type: ignore[attr-defined]
            for value, words in choices:
                if value == self.cleaned_data["event"]:
                    return f"{words} ({group[0].lower()}{group[1:]})"
        raise LookupError(self.cleaned_data["event"])


def _told_apart(events: list[Event]) -> list[str]:
    """The events in words, those of the same words numbered."""
    names = [in_words(event) for event in events]
    return [
        _("%(event)s, number %(number)d") % {"event": name, "number": names[: index + 1].count(name)}
        if names.count(name) > 1
        else name
        for index, name in enumerate(names)
    ]
