"""To say that events happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rest_framework.request import Request
from rest_framework.response import Response

from triggers.models import Occurrence
from triggers_api.calls import REFUSED, Call, fire_all, principal
from triggers_api.errors import Problem
from triggers_api.permissions import MayFire
from triggers_api.schema import samples
from triggers_api.schema.operations import IDEMPOTENCY_KEY, LOCATION, REPLAYED, Operation
from triggers_api.serializers.firing import FireBatchSerializer, FiredBatchSerializer, FireSerializer, check_key
from triggers_api.serializers.records import OccurrenceSerializer
from triggers_api.telling import tell_occurrence, tell_occurrences
from triggers_api.views.base import TriggersView, url

#: Why one configured event cannot be fired.
EVENT_REFUSED: Final = tuple(sorted(REFUSED))


class FireView(TriggersView):
    """An event happened. Repeats under the same key are answered as the first, and start nothing."""

    permission_classes = [MayFire]
    tag = "firing"
    operations = {
        "post": Operation(
            "fire",
            OccurrenceSerializer,
            202,
            body=FireSerializer,
            examples=samples.firings,
            takes=(IDEMPOTENCY_KEY,),
            gives=(LOCATION, REPLAYED),
            links={"occurrences_retrieve": "/id", "occurrences_cancel": "/id", "runs_retrieve": "/runs/0/id"},
            refuses={409: EVENT_REFUSED, 422: ("key_conflict",)},
        )
    }

    def post(self, request: Request) -> Response:
        body = FireSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        key = request.headers.get("Idempotency-Key")
        if key is not None:
            check_key(key)
        call = Call(values=body.validated_data, key=key, source=principal(request))
        (occurrence,) = fire_all(request, [call])
        return accepted(request, occurrence)


class FireBatchView(TriggersView):
    """Up to a hundred events happened; if one of them is refused, all are."""

    permission_classes = [MayFire]
    tag = "firing"
    operations = {
        "post": Operation(
            "fire_batch",
            FiredBatchSerializer,
            202,
            body=FireBatchSerializer,
            examples=samples.batches,
            links={"occurrences_retrieve": "/occurrences/0/id"},
            refuses={409: EVENT_REFUSED, 422: ("key_conflict",)},
        )
    }

    def post(self, request: Request) -> Response:
        if "Idempotency-Key" in request.headers:
            raise Problem(400, "key_invalid", "Idempotency-Key: Give each item an idempotency_key of its own instead.")
        body = FireBatchSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        calls = [
            Call(
                values=item,
                key=item.pop("idempotency_key", None),
                source=principal(request),
                path=("items", index),
                names={"key": "idempotency_key"},
            )
            for index, item in enumerate(body.validated_data["items"])
        ]
        return all_accepted(request, fire_all(request, calls))


def accepted(request: Request, occurrence: Occurrence) -> Response:
    """The answer to one event that was fired."""
    headers = {"Location": url(request, "occurrence", occurrence.pk)}
    if occurrence.replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(tell_occurrence(request, occurrence), status=202, headers=headers)


def all_accepted(request: Request, occurrences: Sequence[Occurrence]) -> Response:
    """The answer to events that were fired together, in their order."""
    told: list[dict[str, Any]] = tell_occurrences(request, occurrences)
    replayed = [{"replayed": occurrence.replayed} for occurrence in occurrences]
    return Response({"occurrences": [one | mark for one, mark in zip(told, replayed, strict=True)]}, status=202)
