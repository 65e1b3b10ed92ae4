"""All that is set up, as one document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from triggers import clock
from triggers_api import history
from triggers_api.configuration.applying import apply, export
from triggers_api.configuration.sections import LOGGED, Caller, sections
from triggers_api.definitions import etag
from triggers_api.permissions import MayApply, is_permitted
from triggers_api.queries import ConfigurationQuery
from triggers_api.schema.extensions import ANY_OBJECT
from triggers_api.schema.operations import ETAG, IF_MATCH, IF_NONE_MATCH, Operation, told
from triggers_api.serializers.configuration import ConfigurationOutcomeSerializer, ConfigurationSerializer
from triggers_api.views.base import TriggersView, refuse_stale, unless_known

_SAYS: Final = {"add": "Added", "change": "Changed", "delete": "Deleted"}


class ConfigurationView(TriggersView):
    """All that is set up, as one document, to be kept and to be applied."""

    permission_classes = [MayApply]
    tag = "configuration"
    operations = {
        "get": Operation(
            "configuration_retrieve",
            told(**{section.name: {"type": "array", "items": ANY_OBJECT} for section in sections()}),
            takes=(IF_NONE_MATCH,),
            gives=(ETAG,),
        ),
        "put": Operation(
            "configuration_apply",
            ConfigurationOutcomeSerializer,
            body=ConfigurationSerializer,
            query=ConfigurationQuery,
            takes=(IF_MATCH,),
            gives=(ETAG,),
            refuses={
                409: ("constraint_violated", "trigger_incomplete", "trigger_protected"),
                412: ("precondition_failed",),
            },
        ),
    }

    def get(self, request: Request) -> Response:
        """
        All triggers, in the order of their names.

        They are as in answers of triggers/, but without ids, which differ from server to server; what is never told
        is not in it.
        """
        return unless_known(request, export())

    def put(self, request: Request) -> Response:
        """
        What there is becomes what the body says, all of it or nothing; what is so already is not touched.

        Triggers are known by their names, their components by what they say, and then by type and place: those that
        there are stay, and so does what is never told and left out. To apply an export changes nothing. The ETag is
        that of the configuration as it is then.
        """
        with transaction.atomic(using=clock.alias()):
            self._refuse_stale(request)
            outcome = apply(request.data, **self.query.validated_data, caller=_caller(request))
            tag = etag(export())
        return Response(ConfigurationOutcomeSerializer(asdict(outcome)).data, headers={"ETag": tag})

    def _refuse_stale(self, request: Request) -> None:
        for section in sections():
            section.rows(lock=True)
        refuse_stale(request, export, "configuration")


def _caller(request: Request) -> Caller:
    def note(row: Any, action: str) -> None:
        history.log(request, row, LOGGED[action], f"{_SAYS[action]} by a configuration over HTTP.")

    return Caller(may=lambda permission: is_permitted(request, permission), note=note)
