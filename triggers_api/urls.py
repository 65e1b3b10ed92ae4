"""
Where the HTTP API is: a project mounts it by ``path("api/v1/", include("triggers_api.urls"))``.

Every path below the mount is answered here, unknown ones too: where other URLs share the prefix, theirs come
first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path, re_path

from triggers_api.views import (
    activities,
    cloudevents,
    configuration,
    explaining,
    firing,
    health,
    operating,
    records,
    schema,
    triggers,
    types,
)
from triggers_api.views.base import NowhereView

app_name = "triggers_api"


def _paths(route: str, view: Callable[..., Any], name: str) -> list[URLPattern]:
    """The route with and without a slash at its end; the URLs that the API itself writes have it."""
    return [path(f"{route}/", view, name=name), path(route, view)]


urlpatterns = [
    *_paths("triggers", triggers.TriggerListView.as_view(), "triggers"),
    *_paths("triggers/<int:id>", triggers.TriggerView.as_view(), "trigger"),
    *_paths("triggers/<int:id>/enable", triggers.EnableTriggerView.as_view(), "trigger-enable"),
    *_paths("triggers/<int:id>/disable", triggers.DisableTriggerView.as_view(), "trigger-disable"),
    *_paths("configuration", configuration.ConfigurationView.as_view(), "configuration"),
    *_paths("fire", firing.FireView.as_view(), "fire"),
    *_paths("fire/batch", firing.FireBatchView.as_view(), "fire-batch"),
    *_paths("cloudevents", cloudevents.CloudEventsView.as_view(), "cloudevents"),
    *_paths("explain", explaining.ExplainView.as_view(), "explain"),
    *_paths("occurrences", records.OccurrencesView.as_view(), "occurrences"),
    *_paths("occurrences/<uuid:id>", records.OccurrenceView.as_view(), "occurrence"),
    *_paths("occurrences/<uuid:id>/cancel", operating.CancelOccurrenceView.as_view(), "occurrence-cancel"),
    *_paths("runs", records.RunsView.as_view(), "runs"),
    *_paths("runs/<uuid:id>", records.RunView.as_view(), "run"),
    *_paths("runs/<uuid:id>/cancel", operating.CancelRunView.as_view(), "run-cancel"),
    *_paths("runs/<uuid:id>/retry", operating.RetryRunView.as_view(), "run-retry"),
    *_paths("runs/<uuid:id>/replay", operating.ReplayRunView.as_view(), "run-replay"),
    *_paths("activities", records.ActivitiesView.as_view(), "activities"),
    *_paths("activities/<int:id>/reset", activities.ResetActivityView.as_view(), "activity-reset"),
    *_paths("health/live", health.LiveView.as_view(), "live"),
    *_paths("health/ready", health.ReadyView.as_view(), "ready"),
    *_paths("component-types", types.ComponentTypesView.as_view(), "component-types"),
    *_paths("component-types/<str:type>", types.ComponentTypeView.as_view(), "component-type"),
    *_paths("event-types", types.EventTypesView.as_view(), "event-types"),
    *_paths("schema", schema.SchemaView.as_view(), "schema"),
    *_paths("docs", schema.DocsView.as_view(), "docs"),
    re_path("", NowhereView.as_view()),
]
