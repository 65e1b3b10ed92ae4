"""System checks of the API's settings; each hint names the fix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.exceptions import FieldDoesNotExist

from triggers_api import conf


def register() -> None:
    """Called once the apps are loaded."""
    checks.register(check_settings)


def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """The settings exist, and users can be told apart."""
    return [*_unknown_names(), *_user_field()]


def _unknown_names() -> Iterator[checks.CheckMessage]:
    for name in dir(settings):
        if name.startswith(conf.PREFIX) and name not in conf.DEFAULTS:
            close = get_close_matches(name, conf.DEFAULTS, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"The settings are {', '.join(sorted(conf.DEFAULTS))}."
            yield checks.Warning(f"There is no setting {name}.", hint=hint, id="triggers_api.W001")


def _user_field() -> Iterator[checks.CheckMessage]:
    name, options = conf.user_field(), get_user_model()._meta
    field: Any
    try:
        field = options.pk if name == "pk" else options.get_field(name)
    except FieldDoesNotExist:
        field = None
    if field not in options.concrete_fields:
        fields = ", ".join(field.name for field in options.fields if field.unique)
        yield checks.Error(
            f"TRIGGERS_API_USER_FIELD: {options.label} has no field “{name}”.",
            hint=f"Name a field by which users are told apart, such as {fields}.",
            id="triggers_api.E001",
        )
    elif not (field.unique or any(names == (name,) for names in _unique_together(options))):
        yield checks.Warning(
            f"TRIGGERS_API_USER_FIELD: several users may have the same {name}; it names none of them then.",
            hint=f"Make {options.label}.{name} unique.",
            id="triggers_api.W002",
        )


def _unique_together(options: Any) -> Iterator[tuple[str, ...]]:
    for constraint in options.total_unique_constraints:
        yield tuple(constraint.fields)
