"""What was fired and what became of it: one record, or those that a query asks for."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from triggers import clock
from triggers.loading import rows
from triggers.models import Activity, Occurrence, Run
from triggers_api import people, telling
from triggers_api.permissions import MayListActivities, MayListOccurrences, MayListRuns, MayRead
from triggers_api.queries import ActivityQuery, OccurrenceQuery, Query, RunQuery
from triggers_api.schema.operations import Operation
from triggers_api.serializers.records import (
    ActivitySerializer,
    ListedOccurrenceSerializer,
    ListedRunSerializer,
    OccurrenceSerializer,
    RunSerializer,
)
from triggers_api.views.base import TriggersView


class ListView(TriggersView):
    """Records, newest first, a page at a time."""

    query: Query
    serializer_class: ClassVar[type[BaseSerializer[Any]]]

    def rows(self) -> QuerySet[Any]:
        """All that the query may choose from."""
        raise NotImplementedError

    def get(self, request: Request) -> Response:
        shown, has_more = self.query.page(self.rows())
        return Response(
            {
                "next": _next(request, self.query.cursor_of(shown[-1])) if has_more else None,
                "results": self.tell(shown),
            }
        )

    def tell(self, shown: list[Any]) -> Any:
        """The rows of the page in JSON."""
        return self.serializer_class(shown, many=True).data


class UsersListView(ListView):
    """Records that concern a user each."""

    def tell(self, shown: list[Any]) -> Any:
        names = people.names(row.user_id for row in shown)
        return self.serializer_class(shown, many=True, context={"names": names}).data


class OccurrencesView(ListView):
    """What was fired."""

    permission_classes = [MayListOccurrences]
    serializer_class = ListedOccurrenceSerializer
    tag = "occurrences"
    operations = {
        "get": Operation(
            "occurrences_list",
            ListedOccurrenceSerializer,
            is_page=True,
            query=OccurrenceQuery,
            links={"occurrences_retrieve": "/results/0/id", "occurrences_cancel": "/results/0/id"},
        )
    }

    def rows(self) -> QuerySet[Occurrence]:
        return Occurrence.objects.using(clock.alias())


class RunsView(UsersListView):
    """What was done for users, or why nothing was."""

    permission_classes = [MayListRuns]
    serializer_class = ListedRunSerializer
    tag = "runs"
    operations = {
        "get": Operation(
            "runs_list",
            ListedRunSerializer,
            is_page=True,
            query=RunQuery,
            links={f"runs_{verb}": "/results/0/id" for verb in ("retrieve", "cancel", "retry", "replay")},
        )
    }

    def rows(self) -> QuerySet[Run]:
        return Run.objects.using(clock.alias())


class ActivitiesView(UsersListView):
    """How often and when triggers acted on users: what limits read."""

    permission_classes = [MayListActivities]
    serializer_class = ActivitySerializer
    tag = "activities"
    operations = {
        "get": Operation(
            "activities_list",
            ActivitySerializer,
            is_page=True,
            query=ActivityQuery,
            links={"activities_reset": "/results/0/id"},
        )
    }

    def rows(self) -> QuerySet[Activity]:
        return rows(Activity, clock.alias())


class OccurrenceView(TriggersView):
    """What was fired and what became of it."""

    permission_classes = [MayRead]
    tag = "occurrences"
    operations = {"get": Operation("occurrences_retrieve", OccurrenceSerializer)}

    def get(self, request: Request, id: UUID) -> Response:
        occurrence = find_occurrence(id)
        self.check_object_permissions(request, occurrence)
        return Response(telling.tell_occurrence(request, occurrence))


class RunView(TriggersView):
    """What was done for one user, step by step, or why nothing was."""

    permission_classes = [MayRead]
    tag = "runs"
    operations = {"get": Operation("runs_retrieve", RunSerializer)}

    def get(self, request: Request, id: UUID) -> Response:
        run = find_run(id)
        self.check_object_permissions(request, run)
        return Response(telling.tell_run(request, run))


def find_occurrence(id: UUID) -> Occurrence:
    return get_object_or_404(Occurrence.objects.using(clock.alias()), pk=id)


def find_run(id: UUID) -> Run:
    return get_object_or_404(Run.objects.using(clock.alias()).select_related("occurrence"), pk=id)


def _next(request: Request, cursor: str) -> str:
    """The path of the next page, without a host, which proxies change."""
    query = request.query_params.copy()
    query["cursor"] = cursor
    return f"{request.path}?{query.urlencode()}"
