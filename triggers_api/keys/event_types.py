"""The types of events that a key can be limited to."""

from __future__ import annotations

from triggers.registry import event_kinds


def installed() -> list[str]:
    """The names of all that can be fired."""
    return sorted(kind.name for kind in event_kinds())
