"""Which events there are, for components that name one: ``WaitForEvent``, ``FireEvent``."""

from __future__ import annotations

from django.utils.text import capfirst

from triggers.models import Event
from triggers.registry import component_types, label


def event_types() -> list[tuple[str, str]]:
    """The types of events that the installed apps define, and what people call them."""
    return [(label(model), str(capfirst(model._meta.verbose_name))) for model in component_types(Event)]
