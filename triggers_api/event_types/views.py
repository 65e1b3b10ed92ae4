"""Event types: what other systems fire by a name of their own."""

from __future__ import annotations

import re
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from triggers import clock
from triggers.contrib.events.models import EventType
from triggers.contrib.events.models.named import NAME
from triggers_api import history
from triggers_api.definitions import etag
from triggers_api.event_types.removal import remove
from triggers_api.event_types.serializers import NamedEventTypeSerializer
from triggers_api.permissions import MayConfigure, MayDiscover, may_fire_type
from triggers_api.schema.operations import ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, Operation
from triggers_api.views.base import TriggersView, refuse_stale, unless_known
from triggers_api.views.types import EventTypesView

_STALE: Final = {412: ("precondition_failed",)}
_CHANGE: Final[dict[str, Any]] = {"takes": (IF_MATCH,), "gives": (ETAG,), "refuses": _STALE}


class MayName(MayConfigure):
    """Who may discover types may read these; to write them takes the permissions on triggers."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.method in SAFE_METHODS:
            self.message = str(MayDiscover.message)
            return MayDiscover().has_permission(request, view)
        return super().has_permission(request, view)


class EventTypeListView(EventTypesView):
    __doc__ = EventTypesView.__doc__

    permission_classes = [MayName]
    operations = {
        **EventTypesView.operations,
        "post": Operation(
            "event_types_create",
            NamedEventTypeSerializer,
            201,
            body=NamedEventTypeSerializer,
            gives=(ETAG, LOCATION),
        ),
    }

    def post(self, request: Request) -> Response:
        """Events can be fired by the name from now on."""
        serializer = NamedEventTypeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            with transaction.atomic(using=clock.alias()):
                row = serializer.save()
                history.log(request, row, history.ADDED, "Added over HTTP.")
        except IntegrityError:  # another request has taken the name meanwhile
            NamedEventTypeSerializer(data=request.data).is_valid(raise_exception=True)
            raise
        return _answer(request, row, 201)


class EventTypeView(TriggersView):
    """An event type that somebody has named."""

    permission_classes = [MayName]
    tag = "types"
    operations = {
        "get": Operation("event_types_retrieve", NamedEventTypeSerializer, takes=(IF_NONE_MATCH,), gives=(ETAG,)),
        "put": Operation("event_types_update", NamedEventTypeSerializer, body=NamedEventTypeSerializer, **_CHANGE),
        "patch": Operation(
            "event_types_partial_update", NamedEventTypeSerializer, body=NamedEventTypeSerializer, **_CHANGE
        ),
        "delete": Operation(
            "event_types_delete", status=204, takes=(IF_MATCH,), refuses={409: ("event_type_used",)} | _STALE
        ),
    }

    def get(self, request: Request, name: str) -> Response:
        return unless_known(request, _told(_find(request, name)))

    def put(self, request: Request, name: str) -> Response:
        """The type is as the body says: what is left out has its default. Its name stays what it is."""
        return self._change(request, name, partial=False)

    def patch(self, request: Request, name: str) -> Response:
        """What the body names is changed."""
        return self._change(request, name, partial=True)

    def delete(self, request: Request, name: str) -> Response:
        """Nothing can be fired by the name any more. Refused while triggers use it."""
        with transaction.atomic(using=clock.alias()):
            row = _locked(request, name)
            history.log(request, row, history.DELETED, "Deleted over HTTP.")
            remove(row)
        return Response(status=204)

    def _change(self, request: Request, name: str, *, partial: bool) -> Response:
        with transaction.atomic(using=clock.alias()):
            row = _locked(request, name)
            before = _told(row)
            serializer = NamedEventTypeSerializer(row, data=request.data, partial=partial)
            serializer.is_valid(raise_exception=True)
            row = serializer.save()
            if _told(row) != before:
                history.log(request, row, history.CHANGED, "Changed over HTTP.")
        return _answer(request, row, 200)


def _find(request: Request, name: str, *, lock: bool = False) -> EventType:
    """The type, if the credentials of the caller are good for it."""
    if not re.fullmatch(NAME, name) or not may_fire_type(request, name):  # not every text can be looked up
        raise Http404
    types = EventType.objects.using(clock.alias())
    return get_object_or_404(types.select_for_update() if lock else types, name=name)


def _locked(request: Request, name: str) -> EventType:
    """The type, nobody else changing it until the transaction ends. Refuses one that has changed since If-Match."""
    row = _find(request, name, lock=True)
    refuse_stale(request, lambda: _told(row), "type")
    return row


def _told(row: EventType) -> Any:
    return NamedEventTypeSerializer(row).data


def _answer(request: Request, row: EventType, status: int) -> Response:
    told = _told(row)
    headers = {"ETag": etag(told)}
    if status == 201:
        namespace = request.resolver_match.namespace  # type: ignore[union-attr]  # this request was resolved
        headers["Location"] = reverse(f"{namespace}:event-type", kwargs={"name": row.name})
    return Response(told, status=status, headers=headers)
