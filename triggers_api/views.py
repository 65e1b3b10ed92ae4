"""The views of the HTTP API. Each calls one function of the library and tells what it answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.decorators import method_decorator
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from triggers import clock, fire
from triggers.models import Occurrence, Run
from triggers_api import errors
from triggers_api.errors import Problem
from triggers_api.parsers import StrictJSONParser
from triggers_api.permissions import MayFire, MayRead, may_see_context
from triggers_api.serializers import FireSerializer, OccurrenceSerializer, RunSerializer


def _outside_transactions(view: Callable[..., Any]) -> Callable[..., Any]:
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


@method_decorator(_outside_transactions, name="dispatch")
class TriggersView(APIView):
    """
    JSON in, JSON or a problem out, whatever the project's settings; authentication and throttles are theirs.

    Requests run in no transaction of their own, so that an answer says what has been committed.
    """

    http_method_names = ["get", "head", "post"]
    parser_classes = [StrictJSONParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = DefaultContentNegotiation
    versioning_class = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "Transfer-Encoding" in request.headers and not request.headers.get("Content-Length"):
            # Django would read it as empty.
            raise Problem(411, "length_required", "Send the body with its Content-Length, not in chunks.")

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        return errors.answer

    def get_authenticate_header(self, request: Request) -> str:
        """The challenge of the first authenticator that has one."""
        headers = (authenticator.authenticate_header(request) for authenticator in self.get_authenticators())
        return next((header for header in headers if header), "")


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
                raise Problem(400, "users_unknown", "None of the users exists.", ("users",))
        headers = {"Location": _url(request, "occurrence", occurrence.pk)}
        if occurrence.replayed:
            headers["Idempotent-Replayed"] = "true"
        return Response(
            OccurrenceSerializer(occurrence, context={"may_see_context": True}).data, status=202, headers=headers
        )


class OccurrenceView(TriggersView):
    """What was fired and what became of it."""

    permission_classes = [MayRead]

    def get(self, request: Request, id: UUID) -> Response:
        occurrence = get_object_or_404(Occurrence.objects.using(clock.alias()), pk=id)
        self.check_object_permissions(request, occurrence)
        context = {"may_see_context": may_see_context(request, occurrence)}
        return Response(OccurrenceSerializer(occurrence, context=context).data)


class RunView(TriggersView):
    """What was done for one user, step by step, or why nothing was."""

    permission_classes = [MayRead]

    def get(self, request: Request, id: UUID) -> Response:
        run = get_object_or_404(Run.objects.using(clock.alias()).select_related("occurrence"), pk=id)
        self.check_object_permissions(request, run)
        context = {"may_see_context": may_see_context(request, run.occurrence)}
        return Response(RunSerializer(run, context=context).data)


class NowhereView(TriggersView):
    """Everywhere else, so that the answer there is a problem too."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound


def _url(request: Request, name: str, id: UUID) -> str:
    """The path of the resource wherever the API is mounted; without a host, which proxies change."""
    namespace = request.resolver_match.namespace  # type: ignore[union-attr]  # this request was resolved
    return reverse(f"{namespace}:{name}", kwargs={"id": id})
