"""The types of events that a key can be limited to."""

from __future__ import annotations

from django.apps import apps

from triggers.models import Event


def installed() -> list[str]:
    """The labels of the installed event types."""
    return sorted(model._meta.label for model in apps.get_models() if issubclass(model, Event) and model is not Event)
