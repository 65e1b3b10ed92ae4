"""To say that events happened as other systems say it: in CloudEvents, which a webhook delivers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from triggers.context import canonical
from triggers.recording import MAX_KEY_LENGTH
from triggers_api.calls import Call, fire_all, principal
from triggers_api.cloudevents import (
    MAX_EVENTS,
    BatchParser,
    CloudEventSerializer,
    DataParser,
    EventNegotiation,
    StructuredParser,
    event_in_headers,
)
from triggers_api.errors import Path
from triggers_api.fields import ListField
from triggers_api.permissions import MayFire
from triggers_api.queries import CreatingQuery
from triggers_api.schema.operations import REPLAYED, Header, Operation
from triggers_api.serializers.firing import FiredBatchSerializer
from triggers_api.serializers.records import OccurrenceSerializer
from triggers_api.views.base import TriggersView
from triggers_api.views.firing import accepted, all_accepted

#: What the arguments of ``fire`` are called in an event.
NAMES: Final = {"user": "subject", "context": "data", "occurred_at": "time", "key": "id"}


#: The attributes of an event in binary mode.
ATTRIBUTES: Final = tuple(
    Header(f"ce-{name}", f"Of an event in binary mode: its {name}.")
    for name in ("specversion", "id", "source", "type", "subject", "time")
)


class CloudEventsView(TriggersView):
    """
    Events happened, each to its subject. Of a batch all are accepted or none.

    OPTIONS is the handshake by which a sender of webhooks finds out that its events are awaited here; it is no
    authorization, needs none, and tells nothing but that.
    """

    http_method_names = ["post", "options"]
    permission_classes = [MayFire]
    tag = "firing"
    operations = {
        "post": Operation(
            "receive_cloudevent",
            (OccurrenceSerializer, FiredBatchSerializer),
            202,
            body={
                StructuredParser.media_type: CloudEventSerializer,
                BatchParser.media_type: serializers.ListSerializer(
                    child=CloudEventSerializer(), allow_empty=False, max_length=MAX_EVENTS
                ),
                DataParser.media_type: {"type": "object", "additionalProperties": {}},
            },
            query=CreatingQuery,
            takes=ATTRIBUTES,
            gives=(
                Header("Location", "The path of the occurrence, if it is one.", is_optional=True),
                REPLAYED,
            ),
            refuses={422: ("key_conflict",)},
        )
    }
    parser_classes = [StructuredParser, BatchParser, DataParser]
    content_negotiation_class = EventNegotiation

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if request.method != "OPTIONS":
            super().initial(request, *args, **kwargs)

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        origin = request.headers.get("WebHook-Request-Origin")
        if not origin:
            return Response()
        return Response(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": self._allowed_rate()})

    def post(self, request: Request) -> Response:
        data = request.data
        parser = self.get_content_negotiator().select_parser(request, self.get_parsers())
        if isinstance(parser, BatchParser):
            events = ListField(child=CloudEventSerializer(), allow_empty=False, max_length=MAX_EVENTS).run_validation(
                data or []
            )
            calls = [self._call(request, event, (index,)) for index, event in enumerate(events)]
            return all_accepted(request, fire_all(request, calls))
        if parser is None and request.content_type:  # which is not looked at for an empty body
            raise UnsupportedMediaType(request.content_type)
        if not isinstance(parser, StructuredParser):
            data = event_in_headers(request, data)
        body = CloudEventSerializer(data=data)
        body.is_valid(raise_exception=True)
        (occurrence,) = fire_all(request, [self._call(request, body.validated_data)])
        return accepted(request, occurrence)

    def _allowed_rate(self) -> str:
        """How many requests a minute the throttles let through; “*” if they do not count."""
        counting = [throttle for throttle in self.get_throttles() if getattr(throttle, "num_requests", None)]
        rates = [throttle.num_requests * 60 // throttle.duration for throttle in counting]
        return str(max(1, min(rates))) if rates else "*"

    def _call(self, request: Request, event: Mapping[str, Any], path: Path = ()) -> Call:
        values = {
            "type": event["type"],
            "user": event["subject"],
            "context": event["data"],
            **self.query.validated_data,
        }
        if "time" in event:
            values["occurred_at"] = event["time"]
        key = canonical([event["source"], event["id"]])
        if len(key) > MAX_KEY_LENGTH:
            key = hashlib.sha256(key.encode()).hexdigest()
        return Call(values=values, key=key, source=f"{principal(request)}/cloudevents", path=path, names=NAMES)
