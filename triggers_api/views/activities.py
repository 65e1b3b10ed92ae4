"""What people do to the ledger that limits read."""

from __future__ import annotations

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from triggers import running
from triggers.models import Activity
from triggers_api import people
from triggers_api.permissions import MayReset
from triggers_api.schema.operations import Operation
from triggers_api.serializers.records import ActivitySerializer
from triggers_api.views.operating import OperationView


class ResetActivityView(OperationView):
    """The trigger may act on the user as if it never had."""

    permission_classes = [MayReset]
    tag = "activities"
    operations = {"post": Operation("activities_reset", ActivitySerializer)}

    def post(self, request: Request, id: int) -> Response:
        try:
            activity = running.reset_activity(id)
        except (Activity.DoesNotExist, OverflowError):
            raise Http404 from None
        return Response(ActivitySerializer(activity, context={"names": people.names([activity.user_id])}).data)
