"""Bodies to begin with, of what this project has."""

from __future__ import annotations

from typing import Any, Final

from django.db import models

from triggers.models import Event
from triggers.registry import component_types, has_names, label
from triggers_api import people

TRIGGER: Final = {
    "type": "triggers.Trigger",
    "name": "Welcome",
    "description": "A trigger needs an event and an action too before it is enabled.",
    "conditions": [{"type": "triggers.ActionCountCondition", "limit": 1}],
}


def firings() -> dict[str, Any]:
    return {
        "An event of a type": _firing() | {"delay": "PT2H"},
        "One configured event": {"event": 1, "users": [_user()], "occurred_at": "2026-01-31T09:00:00Z"},
    }


def batches() -> dict[str, Any]:
    return {"Two events": {"items": [_firing() | {"idempotency_key": f"order-{number}"} for number in (1001, 1002)]}}


def questions() -> dict[str, Any]:
    return {"An event of a type": _firing()}


def _firing() -> dict[str, Any]:
    types = [model for model in component_types(Event) if not has_names(model)]
    return {**({"type": label(types[0])} if types else {"event": 1}), "user": _user(), "context": {}}


def _user() -> str:
    match people.naming_field():
        case models.UUIDField():
            return "0193b3f0-0000-7000-8000-000000000000"
        case models.EmailField():
            return "anna@example.com"
        case models.IntegerField():
            return "17"
        case _:
            return "anna"
