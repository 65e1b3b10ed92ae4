"""
Templates written by people in the admin, rendered where they can reach nothing but plain values.

The engine has no loaders, so no template can include, extend or read another, and only the tags and
filters listed here. Values are copied by `plain` first: what is not text, a number, a date or a list
or mapping of those never enters a template, so no model instance's methods or relations do either.
"""

from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.template import Context, Engine, Library, TemplateSyntaxError, defaultfilters, defaulttags

TAGS = ("comment", "firstof", "for", "if", "with")
FILTERS = (
    "capfirst",
    "date",
    "default",
    "default_if_none",
    "first",
    "join",
    "last",
    "length",
    "lower",
    "pluralize",
    "time",
    "title",
    "truncatechars",
    "truncatewords",
    "upper",
    "yesno",
)

register = Library()
for name in TAGS:
    register.tag(name, defaulttags.register.tags[name])
for name in FILTERS:
    register.filters[name] = defaultfilters.register.filters[name]


class SandboxEngine(Engine):
    """Django's template language without what comes built in."""

    default_builtins = [__name__]


@cache
def engine() -> Engine:
    """Return the one engine; text is not HTML, so nothing is escaped."""
    return SandboxEngine(autoescape=False)


def validate_template(source: str) -> None:
    """Refuse, as a field validator, a template that cannot be rendered."""
    try:
        engine().from_string(source)
    except TemplateSyntaxError as error:
        raise ValidationError("This is not a template: %(reason)s", "invalid", {"reason": error}) from error


def render(source: str, values: Mapping[str, Any]) -> str:
    """Return the template's text. What is not a plain value is as if it were not there."""
    return engine().from_string(source).render(Context(plain(values), autoescape=False))


def plain(value: Any) -> Any:
    """Return a copy that holds only plain values; the others are None."""
    match value:
        case Mapping():
            return {key: plain(item) for key, item in value.items() if isinstance(key, str)}
        case list() | tuple():
            return [plain(item) for item in value]
        case str():
            return str.__str__(value)
        case None | bool() | int() | float() | Decimal() | date() | time() | UUID():
            return value
        case _:
            return None
