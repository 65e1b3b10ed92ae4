"""Event types as rows, and the events of this app."""

from triggers.contrib.events.models.named import EventType, NamedEvent
from triggers.contrib.events.models.schedule import ScheduleEvent

__all__ = ["EventType", "NamedEvent", "ScheduleEvent"]
