"""How paths of the API are written, and those that installed apps add to it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from django.apps import apps
from django.urls import URLPattern, path


def paths(route: str, view: Callable[..., Any], name: str) -> list[URLPattern]:
    """The route with and without a slash at its end; the URLs that the API itself writes have it."""
    return [path(f"{route}/", view, name=name), path(route, view)]


def added() -> list[ModuleType]:
    """
    The modules that apps name in their configuration as ``triggers_api_urls``.

    Each has ``urlpatterns``, and ``tags``: their headings in the OpenAPI document.
    """
    names = [getattr(config, "triggers_api_urls", None) for config in apps.get_app_configs()]
    return [import_module(name) for name in names if name]
