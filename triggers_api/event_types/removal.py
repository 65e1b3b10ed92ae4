"""To delete an event type."""

from __future__ import annotations

from triggers.contrib.events.models import EventType
from triggers_api.errors import Problem

#: How many of the triggers that use it are named.
_MOST = 3


def remove(row: EventType) -> None:
    """The type is gone. Refuses one that triggers use, naming them."""
    names = sorted(set(row.events.values_list("trigger__name", flat=True)))
    if names:
        shown = ", ".join(f"“{name}”" for name in names[:_MOST]) + (" and others" if len(names) > _MOST else "")
        raise Problem(409, "event_type_used", f"Events of the type “{row.name}” start {shown}: change those first.")
    row.delete()
