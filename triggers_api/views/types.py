"""What triggers can be made of, and what can be fired."""

from __future__ import annotations

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from triggers_api.discovery import tell_event_types, tell_type, tell_types
from triggers_api.permissions import MayDiscover, may_fire_type
from triggers_api.queries import ComponentTypeQuery
from triggers_api.schema.operations import ETAG, IF_NONE_MATCH, Operation
from triggers_api.serializers.types import ComponentTypeSerializer, ComponentTypesSerializer, EventTypesSerializer
from triggers_api.views.base import TriggersView, unless_known


class TypesView(TriggersView):
    permission_classes = [MayDiscover]
    tag = "types"


class ComponentTypesView(TypesView):
    """The types of events, conditions and actions. Each has the JSON Schema of its fields, and an example."""

    operations = {
        "get": Operation(
            "component_types_list",
            ComponentTypesSerializer,
            query=ComponentTypeQuery,
            takes=(IF_NONE_MATCH,),
            gives=(ETAG,),
        )
    }

    def get(self, request: Request) -> Response:
        kind = self.query.validated_data.get("kind")
        return unless_known(request, {"results": tell_types(*[kind] if kind else [])})


class ComponentTypeView(TypesView):
    """One type of components."""

    operations = {
        "get": Operation("component_types_retrieve", ComponentTypeSerializer, takes=(IF_NONE_MATCH,), gives=(ETAG,))
    }

    def get(self, request: Request, type: str) -> Response:
        told = tell_type(type)
        if told is None:
            raise Http404
        return unless_known(request, told)


class EventTypesView(TypesView):
    """What can be fired. An API key that is limited to some types of events is told of those only."""

    operations = {"get": Operation("event_types_list", EventTypesSerializer, takes=(IF_NONE_MATCH,), gives=(ETAG,))}

    def get(self, request: Request) -> Response:
        told = [event for event in tell_event_types() if may_fire_type(request, event["type"])]
        return unless_known(request, {"results": told})
