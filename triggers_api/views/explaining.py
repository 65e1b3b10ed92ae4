"""To ask what an event would do."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from triggers.explaining import explain
from triggers_api import people
from triggers_api.calls import arguments_of, nobody
from triggers_api.permissions import MayExplain
from triggers_api.schema import samples
from triggers_api.schema.operations import Operation
from triggers_api.serializers.firing import ExplainedSerializer, ExplainSerializer, ExplanationSerializer
from triggers_api.views.base import TriggersView


class ExplainView(TriggersView):
    """What an event would do to users if it happened now, and why. Nothing is written."""

    permission_classes = [MayExplain]
    tag = "firing"
    operations = {"post": Operation("explain", ExplainedSerializer, body=ExplainSerializer, examples=samples.questions)}

    def post(self, request: Request) -> Response:
        body = ExplainSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        event, arguments = arguments_of(request, body.validated_data)
        explanations = explain(event, **arguments)
        users = arguments.get("users")
        if users is not None and not users.known:
            raise nobody(body.validated_data)
        context = {"names": people.names(explanation.user.pk for explanation in explanations)}
        return Response(
            {
                "unknown_users": [str(name) for name in users.unknown] if users is not None else [],
                "explanations": ExplanationSerializer(explanations, many=True, context=context).data,
            }
        )
