"""Where event types are, below the mount of the API."""

from typing import Any

from triggers_api.event_types.views import EventTypeListView, EventTypeView
from triggers_api.routes import paths

tags: list[dict[str, Any]] = []

urlpatterns = [
    *paths("event-types", EventTypeListView.as_view(), "event-types"),
    *paths("event-types/<path:name>", EventTypeView.as_view(), "event-type"),
]
