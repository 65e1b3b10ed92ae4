"""The event types of a configuration, which triggers refer to by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triggers import clock
from triggers.contrib.events.models import EventType
from triggers_api.configuration.sections import Caller, Saved, Section, plain
from triggers_api.event_types.removal import remove
from triggers_api.event_types.serializers import NamedEventTypeSerializer


class EventTypesSection(Section):
    """Event types, by their names."""

    name = "event_types"
    model = EventType
    serializer_class = NamedEventTypeSerializer

    def rows(self, *, lock: bool = False) -> Mapping[str, EventType]:
        types = EventType.objects.using(clock.alias()).all()
        return {row.name: row for row in sorted(types.select_for_update() if lock else types, key=lambda row: row.name)}

    def told(self, row: EventType) -> dict[str, Any]:
        told: dict[str, Any] = plain(NamedEventTypeSerializer(row).data)
        return told

    def save(self, item: Any, row: EventType | None, caller: Caller) -> Saved:
        serializer = NamedEventTypeSerializer(row, data=item)
        serializer.is_valid(raise_exception=True)
        return Saved(serializer.save())

    def permission(self, action: str) -> str:
        return f"triggers.{action}_trigger"

    def delete(self, row: EventType) -> None:
        remove(row)
