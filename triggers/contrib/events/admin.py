"""Event types in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from triggers.contrib.events.models import EventType

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[EventType]
else:
    ModelAdmin = admin.ModelAdmin


@admin.register(EventType)
class EventTypeAdmin(ModelAdmin):
    """A type keeps its name, and is not deleted while triggers use it."""

    list_display = ("name", "description")
    search_fields = ("name", "description")

    def get_readonly_fields(self, request: HttpRequest, obj: EventType | None = None) -> list[str]:
        return ["name"] if obj else []
