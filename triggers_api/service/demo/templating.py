"""
E-mail texts with placeholders, written by people in the admin.

They are Django templates that reach nothing but plain values: no files, no model instances, none of the tags
and filters that load, call or multiply something.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from functools import cache
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.template import Context, Engine, Library, TemplateSyntaxError, defaultfilters, defaulttags

TAGS: Final = {"comment", "for", "if"}
FILTERS: Final = {
    "capfirst",
    "date",
    "default",
    "floatformat",
    "join",
    "length",
    "lower",
    "pluralize",
    "title",
    "upper",
}

register = Library()
register.tags = {name: tag for name, tag in defaulttags.register.tags.items() if name in TAGS}
register.filters = {name: filter_ for name, filter_ in defaultfilters.register.filters.items() if name in FILTERS}


class _Engine(Engine):
    default_builtins = [__name__]


@cache
def _engine() -> Engine:
    return _Engine(autoescape=False)


def validate(source: str) -> None:
    """Refuse a text that could not be rendered; a field's validator."""
    try:
        _engine().from_string(source)
    except TemplateSyntaxError as error:
        raise ValidationError("The placeholders are wrong: %(reason)s", "template", {"reason": error}) from error


def render(source: str, values: Mapping[str, Any]) -> str:
    """The text with its placeholders filled in; a value that is not plain leaves its place empty."""
    return _engine().from_string(source).render(Context(_plain(values), autoescape=False))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return str.__str__(value)  # a lazy or marked text as what it says
    return value if isinstance(value, bool | int | float | Decimal | date | time | UUID) else ""
