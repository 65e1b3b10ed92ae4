"""What people do to runs: cancel them, have them tried again, replay them. The answer is the record as it is then."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from triggers import running
from triggers.exceptions import NothingToStart, UnknownEventType
from triggers.firing import replay, retry
from triggers.models import Event
from triggers_api.errors import Problem
from triggers_api.permissions import MayOperate
from triggers_api.schema.operations import LOCATION, Operation
from triggers_api.serializers.firing import NothingSerializer
from triggers_api.serializers.records import OccurrenceSerializer, RunSerializer
from triggers_api.telling import tell_occurrence, tell_run
from triggers_api.views.base import TriggersView, url
from triggers_api.views.records import find_occurrence, find_run

_RUN: Final[dict[str, Any]] = {"answer": RunSerializer, "status": 202, "gives": (LOCATION,)}


class OperationView(TriggersView):
    """Takes a POST without a body."""

    permission_classes = [MayOperate]
    tag = "runs"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST":
            NothingSerializer(data=request.data).is_valid(raise_exception=True)


class CancelRunView(OperationView):
    """The run ends before its next step; at once if no worker has it in hand."""

    operations = {"post": Operation("runs_cancel", **_RUN, refuses={409: ("run_ended",)})}

    def post(self, request: Request, id: UUID) -> Response:
        if not running.cancel([find_run(id).pk]):
            raise Problem(409, "run_ended", "The run has ended already.")
        return _accepted(request, id)


class RetryRunView(OperationView):
    """The run goes on at the step that failed."""

    operations = {"post": Operation("runs_retry", **_RUN, refuses={409: ("run_not_retriable",)})}

    def post(self, request: Request, id: UUID) -> Response:
        if not retry([find_run(id).pk]):
            detail = "The run neither failed nor was stopped because its trigger was disabled."
            raise Problem(409, "run_not_retriable", detail)
        return _accepted(request, id)


class ReplayRunView(OperationView):
    """The event happens to the run's user once more, under today's definition. The answer is the new run."""

    operations = {
        "post": Operation("runs_replay", **_RUN, refuses={409: ("event_removed", "nothing_to_start", "run_open")})
    }

    def post(self, request: Request, id: UUID) -> Response:
        run = find_run(id)
        if run.is_open:
            raise Problem(409, "run_open", "The run has not ended yet: cancel it first.")
        try:
            again = replay(run, fired_by=request.user).runs.get()
        except (Event.DoesNotExist, UnknownEventType):
            raise Problem(409, "event_removed", "The event of the run was removed from its trigger.") from None
        except NothingToStart as error:
            raise Problem(409, "nothing_to_start", str(error)) from None
        return _accepted(request, again.pk)


class CancelOccurrenceView(OperationView):
    """The runs of the occurrence that have not ended end, each as if it were cancelled by itself."""

    tag = "occurrences"
    operations = {"post": Operation("occurrences_cancel", OccurrenceSerializer, 202, gives=(LOCATION,))}

    def post(self, request: Request, id: UUID) -> Response:
        occurrence = find_occurrence(id)
        running.cancel_occurrence(occurrence.pk)
        headers = {"Location": url(request, "occurrence", id)}
        return Response(tell_occurrence(request, occurrence), status=202, headers=headers)


def _accepted(request: Request, id: UUID) -> Response:
    return Response(tell_run(request, find_run(id)), status=202, headers={"Location": url(request, "run", id)})
