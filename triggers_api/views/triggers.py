"""To set triggers up: what should happen, told and changed as a whole, under an entity tag."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, QuerySet, RestrictedError
from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from triggers import clock
from triggers.enabling import disable, enable, refuse_incomplete
from triggers.loading import rows
from triggers.models import Trigger
from triggers_api import history
from triggers_api.definitions import as_what_they_are, etag, load_components
from triggers_api.errors import Problem
from triggers_api.permissions import MayConfigure, MayEnable
from triggers_api.queries import TriggerQuery
from triggers_api.schema import samples
from triggers_api.schema.operations import ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, Operation
from triggers_api.serializers.definitions import TriggerSerializer
from triggers_api.serializers.firing import NothingSerializer
from triggers_api.views.base import TriggersView, refuse_stale, unless_known, url
from triggers_api.views.records import ListView

_STALE: Final = {412: ("precondition_failed",)}
_CHANGE: Final[dict[str, Any]] = {
    "takes": (IF_MATCH,),
    "gives": (ETAG,),
    "refuses": {409: ("constraint_violated", "trigger_incomplete")} | _STALE,
}


class TriggerListView(ListView):
    """Triggers with all that they are made of."""

    permission_classes = [MayConfigure]
    tag = "triggers"
    operations = {
        "get": Operation(
            "triggers_list",
            TriggerSerializer,
            is_page=True,
            query=TriggerQuery,
            links={"triggers_retrieve": "/results/0/id"},
        ),
        "post": Operation(
            "triggers_create",
            TriggerSerializer,
            201,
            body=TriggerSerializer,
            examples=lambda: {"A trigger": samples.TRIGGER},
            gives=(LOCATION, ETAG),
            links={f"triggers_{verb}": "/id" for verb in ("retrieve", "update", "partial_update", "enable", "delete")},
            refuses={409: ("constraint_violated",)},
        ),
    }

    def rows(self) -> QuerySet[Trigger]:
        return rows(Trigger, clock.alias())

    def tell(self, shown: list[Trigger]) -> Any:
        triggers = as_what_they_are(shown)
        load_components(triggers)
        return [_told(trigger) for trigger in triggers]

    def post(self, request: Request) -> Response:
        """A new trigger with its components. It is not enabled yet."""
        with _unique(request), transaction.atomic(using=clock.alias()):
            trigger = _saved(TriggerSerializer(data=request.data))
            history.log(request, trigger, history.ADDED, "Added over HTTP.")
        return _answer(request, trigger, 201)


class TriggerView(TriggersView):
    """One trigger with all that it is made of."""

    permission_classes = [MayConfigure]
    tag = "triggers"
    operations = {
        "get": Operation("triggers_retrieve", TriggerSerializer, takes=(IF_NONE_MATCH,), gives=(ETAG,)),
        "put": Operation("triggers_update", TriggerSerializer, body=TriggerSerializer, **_CHANGE),
        "patch": Operation("triggers_partial_update", TriggerSerializer, body=TriggerSerializer, **_CHANGE),
        "delete": Operation(
            "triggers_delete", status=204, takes=(IF_MATCH,), refuses={409: ("trigger_protected",)} | _STALE
        ),
    }

    def get(self, request: Request, id: int) -> Response:
        return unless_known(request, _told(_find(id)))

    def put(self, request: Request, id: int) -> Response:
        """
        The trigger becomes what the body says. What is left out has its default; lists that are left out are empty.

        An item with an id is a component that the trigger has, one without is new; those that are missing are deleted.
        """
        return self._change(request, id, partial=False)

    def patch(self, request: Request, id: int) -> Response:
        """What the body names is changed. A list that it names is replaced as a whole, as by PUT."""
        return self._change(request, id, partial=True)

    def delete(self, request: Request, id: int) -> Response:
        """The trigger is gone. Runs that have not ended end with the code trigger_deleted; their records stay."""
        with transaction.atomic(using=clock.alias()):
            trigger = _locked(request, id)
            history.log(request, trigger, history.DELETED, "Deleted over HTTP.")
            try:
                trigger.delete()
            except (ProtectedError, RestrictedError):
                detail = "Other rows refer to the trigger and protect it: delete them, or what they refer to, first."
                raise Problem(409, "trigger_protected", detail) from None
        return Response(status=204)

    def _change(self, request: Request, id: int, *, partial: bool) -> Response:
        with _unique(request, id, partial), transaction.atomic(using=clock.alias()):
            trigger = _locked(request, id)
            before = etag(_told(trigger))
            trigger = _saved(TriggerSerializer(trigger, data=request.data, partial=partial))
            if trigger.is_enabled:
                refuse_incomplete(trigger)
            if etag(_told(trigger)) != before:
                history.log(request, trigger, history.CHANGED, "Changed over HTTP.")
        return _answer(request, trigger, 200)


class SwitchView(TriggersView):
    """Takes a POST without a body."""

    permission_classes = [MayEnable]
    tag = "triggers"
    is_enabled: ClassVar[bool]

    def post(self, request: Request, id: int) -> Response:
        NothingSerializer(data=request.data).is_valid(raise_exception=True)
        with transaction.atomic(using=clock.alias()):
            was_enabled = _locked(request, id).is_enabled
            trigger = enable(id) if self.is_enabled else disable(id)
            if trigger.is_enabled != was_enabled:
                message = "Enabled over HTTP." if self.is_enabled else "Disabled over HTTP."
                history.log(request, trigger, history.CHANGED, message)
        return _answer(request, trigger, 200)


class EnableTriggerView(SwitchView):
    """Events start the trigger from now on. One without an event or an action is refused."""

    operations = {
        "post": Operation(
            "triggers_enable",
            TriggerSerializer,
            takes=(IF_MATCH,),
            gives=(ETAG,),
            links={"triggers_disable": "/id"},
            refuses={409: ("trigger_incomplete",)} | _STALE,
        )
    }
    is_enabled = True


class DisableTriggerView(SwitchView):
    """Events do not start the trigger any more, and its runs under way end before their next step."""

    operations = {
        "post": Operation("triggers_disable", TriggerSerializer, takes=(IF_MATCH,), gives=(ETAG,), refuses=_STALE)
    }
    is_enabled = False


def _find(id: int, *, lock: bool = False) -> Trigger:
    bases = rows(Trigger, clock.alias())
    base = get_object_or_404(bases.select_for_update() if lock else bases, pk=id)
    return as_what_they_are([base])[0]


def _locked(request: Request, id: int) -> Trigger:
    """The trigger, nobody else changing it until the transaction ends. Refuses one that has changed since If-Match."""
    trigger = _find(id, lock=True)
    refuse_stale(request, lambda: _told(trigger), "trigger")
    return trigger


def _saved(serializer: TriggerSerializer) -> Trigger:
    serializer.is_valid(raise_exception=True)
    trigger: Trigger = serializer.save()
    return trigger


@contextmanager
def _unique(request: Request, id: int | None = None, partial: bool = False) -> Iterator[None]:
    """A name that another request takes meanwhile is refused as one that was taken before."""
    try:
        yield
    except IntegrityError:
        trigger = None if id is None else _find(id)
        TriggerSerializer(trigger, data=request.data, partial=partial).is_valid(raise_exception=True)
        raise Problem(409, "constraint_violated", "A constraint of the database does not admit the change.") from None


def _told(trigger: Trigger) -> Any:
    return TriggerSerializer().to_representation(trigger)


def _answer(request: Request, trigger: Trigger, status: int) -> Response:
    told = _told(trigger)
    headers = {"ETag": etag(told)}
    if status == 201:
        headers["Location"] = url(request, "trigger", trigger.pk)
    return Response(told, status=status, headers=headers)
