"""To say that an event happened, and to ask what it would do."""

from __future__ import annotations

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from triggers import clock, fire
from triggers.audiences import NamedUsers
from triggers.explaining import explain
from triggers_api.errors import Problem
from triggers_api.permissions import MayExplain, MayFire
from triggers_api.serializers.firing import ExplainSerializer, ExplanationSerializer, FireSerializer
from triggers_api.serializers.records import OccurrenceSerializer
from triggers_api.views.base import TriggersView, url


class FireView(TriggersView):
    """An event happened to users."""

    permission_classes = [MayFire]

    def post(self, request: Request) -> Response:
        body = FireSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        event_type, users = body.validated_data.pop("type"), body.validated_data.pop("users")
        with transaction.atomic(using=clock.alias()):
            occurrence = fire(
                event_type,
                users=users,
                **body.validated_data,
                key=request.headers.get("Idempotency-Key"),
                source=f"user:{request.user.pk}",
                fired_by=request.user,
            )
            # Asked of the record: a repeat is answered as the first time, though its users may be gone by now.
            if len(occurrence.unknown_users) == len(set(users)):
                raise _nobody()
        headers = {"Location": url(request, "occurrence", occurrence.pk)}
        if occurrence.replayed:
            headers["Idempotent-Replayed"] = "true"
        return Response(
            OccurrenceSerializer(occurrence, context={"may_see_context": True}).data, status=202, headers=headers
        )


class ExplainView(TriggersView):
    """What an event would do to users if it happened now, and why. Nothing is written."""

    permission_classes = [MayExplain]

    def post(self, request: Request) -> Response:
        body = ExplainSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        users = NamedUsers(body.validated_data["users"], clock.alias())
        explanations = explain(body.validated_data["type"], users=users.keys, context=body.validated_data["context"])
        if not users.known:
            raise _nobody()
        return Response(
            {
                "unknown_users": [str(key) for key in users.unknown],
                "explanations": ExplanationSerializer(explanations, many=True).data,
            }
        )


def _nobody() -> Problem:
    return Problem(400, "users_unknown", "None of the users exists.", ("users",))
