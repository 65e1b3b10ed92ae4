"""System checks; each hint names the fix."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core import checks

from triggers.models import Action


def register() -> None:
    """Called once the apps are loaded."""
    checks.register(check_actions)


def check_actions(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """Every Action class can be performed by a worker."""
    models = [
        model
        for model in apps.get_models()
        if issubclass(model, Action) and (not app_configs or model._meta.app_config in app_configs)
    ]
    return [message for model in models for message in (*_async_methods(model), *_attempts(model))]


def _async_methods(model: type[Action]) -> Iterator[checks.CheckMessage]:
    for name in ("perform", "perform_many"):
        if inspect.iscoroutinefunction(getattr(model, name)):
            yield checks.Error(
                f"{model._meta.label}.{name} is async; workers call it as a plain method.",
                hint=f"Write “def {name}”, and call async code in it by asgiref.sync.async_to_sync.",
                obj=model,
                id="triggers.E001",
            )


def _attempts(model: type[Action]) -> Iterator[checks.CheckMessage]:
    if model.max_attempts < 1:
        yield checks.Error(
            f"{model._meta.label}.max_attempts is {model.max_attempts}: the action would never be tried.",
            hint="Set it to 1 or more.",
            obj=model,
            id="triggers.E002",
        )
