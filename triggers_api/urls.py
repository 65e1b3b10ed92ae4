"""
Where the HTTP API is: a project mounts it by ``path("api/v1/", include("triggers_api.urls"))``.

Every path below the mount is answered here, unknown ones too: where other URLs share the prefix, theirs come
first.
"""

from __future__ import annotations

from django.urls import re_path

from triggers_api.routes import added, paths
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


urlpatterns = [
    *paths("triggers", triggers.TriggerListView.as_view(), "triggers"),
    *paths("triggers/<int:id>", triggers.TriggerView.as_view(), "trigger"),
    *paths("triggers/<int:id>/enable", triggers.EnableTriggerView.as_view(), "trigger-enable"),
    *paths("triggers/<int:id>/disable", triggers.DisableTriggerView.as_view(), "trigger-disable"),
    *paths("configuration", configuration.ConfigurationView.as_view(), "configuration"),
    *paths("fire", firing.FireView.as_view(), "fire"),
    *paths("fire/batch", firing.FireBatchView.as_view(), "fire-batch"),
    *paths("cloudevents", cloudevents.CloudEventsView.as_view(), "cloudevents"),
    *paths("explain", explaining.ExplainView.as_view(), "explain"),
    *paths("occurrences", records.OccurrencesView.as_view(), "occurrences"),
    *paths("occurrences/<uuid:id>", records.OccurrenceView.as_view(), "occurrence"),
    *paths("occurrences/<uuid:id>/cancel", operating.CancelOccurrenceView.as_view(), "occurrence-cancel"),
    *paths("runs", records.RunsView.as_view(), "runs"),
    *paths("runs/<uuid:id>", records.RunView.as_view(), "run"),
    *paths("runs/<uuid:id>/cancel", operating.CancelRunView.as_view(), "run-cancel"),
    *paths("runs/<uuid:id>/retry", operating.RetryRunView.as_view(), "run-retry"),
    *paths("runs/<uuid:id>/replay", operating.ReplayRunView.as_view(), "run-replay"),
    *paths("activities", records.ActivitiesView.as_view(), "activities"),
    *paths("activities/<int:id>/reset", activities.ResetActivityView.as_view(), "activity-reset"),
    *paths("health/live", health.LiveView.as_view(), "live"),
    *paths("health/ready", health.ReadyView.as_view(), "ready"),
    *paths("component-types", types.ComponentTypesView.as_view(), "component-types"),
    *paths("component-types/<str:type>", types.ComponentTypeView.as_view(), "component-type"),
    *paths("event-types", types.EventTypesView.as_view(), "event-types"),
    *paths("schema", schema.SchemaView.as_view(), "schema"),
    *paths("docs", schema.DocsView.as_view(), "docs"),
    re_path("", NowhereView.as_view()),
]
#: What apps add comes first: a view of theirs may take the place of one that is there.
_added = [pattern for module in added() for pattern in module.urlpatterns]
_replaced = {str(pattern.pattern) for pattern in _added}
urlpatterns = _added + [pattern for pattern in urlpatterns if str(pattern.pattern) not in _replaced]
