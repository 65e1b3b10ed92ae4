"""System checks; each hint names the fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks


def register() -> None:
    """Called once the apps are loaded."""
    checks.register(check_authentication)


def check_authentication(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """The API takes the keys."""
    from triggers_api.keys.authentication import ApiKeyAuthentication
    from triggers_api.views.base import TriggersView

    if any(isinstance(authenticator, ApiKeyAuthentication) for authenticator in TriggersView().get_authenticators()):
        return []
    name = f"{ApiKeyAuthentication.__module__}.{ApiKeyAuthentication.__name__}"
    return [
        checks.Warning(
            "triggers_api.keys is installed, but the API takes no keys.",
            hint=f'Add "{name}" to REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"].',
            id="triggers_keys.W001",
        )
    ]
