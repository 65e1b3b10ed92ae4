"""
The settings of the HTTP API, its only reader of ``django.conf.settings``. Each is read anew, so that
``override_settings`` works; None leaves the choice to the project's ``REST_FRAMEWORK``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.settings import api_settings

PREFIX: Final = "TRIGGERS_API_"

#: Every setting of the API with its default.
DEFAULTS: Final[Mapping[str, Any]] = {
    "TRIGGERS_API_AUTHENTICATION_CLASSES": None,
    "TRIGGERS_API_COMPONENT_TYPES": None,
    "TRIGGERS_API_CREATE_USERS": None,
    "TRIGGERS_API_PAGE_SIZE": None,
    "TRIGGERS_API_THROTTLE_CLASSES": None,
    "TRIGGERS_API_USER_FIELD": "pk",
}

MAX_PAGE_SIZE: Final = 100
_PAGE_SIZE: Final = 50


def _read(name: str) -> Any:
    return getattr(settings, name, DEFAULTS[name])


def authentication_classes() -> list[type[Any]]:
    """How callers say who they are."""
    return _classes("TRIGGERS_API_AUTHENTICATION_CLASSES", "DEFAULT_AUTHENTICATION_CLASSES")


def throttle_classes() -> list[type[Any]]:
    """What limits how often callers may ask."""
    return _classes("TRIGGERS_API_THROTTLE_CLASSES", "DEFAULT_THROTTLE_CLASSES")


def component_types() -> Collection[str] | None:
    """The types of components that may be created over HTTP; None is all."""
    types: Collection[str] | None = _read("TRIGGERS_API_COMPONENT_TYPES")
    return types


def create_users() -> Callable[[Collection[Any]], None] | None:
    """What makes users of names that are not known, for events that are fired with ``create_users``; None: nothing."""
    path = _read("TRIGGERS_API_CREATE_USERS")
    found: Callable[[Collection[Any]], None] | None = import_string(path) if isinstance(path, str) else path
    return found


def page_size() -> int:
    """How many rows a page of a list has if the query does not say."""
    return min(_read("TRIGGERS_API_PAGE_SIZE") or api_settings.PAGE_SIZE or _PAGE_SIZE, MAX_PAGE_SIZE)


def user_field() -> str:
    """The field by which callers name users: ``pk``, or one that is unique; ``__`` leads to a row of their own."""
    return str(_read("TRIGGERS_API_USER_FIELD"))


def _classes(name: str, fallback: str) -> list[type[Any]]:
    paths = _read(name)
    if paths is None:
        return list(getattr(api_settings, fallback))
    return [import_string(path) if isinstance(path, str) else path for path in paths]
