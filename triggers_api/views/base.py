"""What all views have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.db import connections, transaction
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import parse_etags
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from triggers_api import conf, errors
from triggers_api.definitions import etag
from triggers_api.errors import Problem
from triggers_api.negotiation import Negotiation
from triggers_api.parsers import StrictJSONParser
from triggers_api.queries import Parameters
from triggers_api.schema.inspection import TriggersAutoSchema
from triggers_api.schema.operations import Operation


def _outside_transactions(view: Callable[..., Any]) -> Callable[..., Any]:
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


@method_decorator(_outside_transactions, name="dispatch")
class TriggersView(APIView):
    """
    JSON in, JSON or a problem out, whatever the project's settings; authentication and throttles are theirs, or
    those of ``TRIGGERS_API_AUTHENTICATION_CLASSES`` and ``TRIGGERS_API_THROTTLE_CLASSES``.

    Requests run in no transaction of their own, so that an answer says what has been committed.
    """

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    #: None: as the settings say when a request comes.
    authentication_classes: Any = None
    throttle_classes: Any = None
    parser_classes = [StrictJSONParser]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = Negotiation
    versioning_class = None
    schema = TriggersAutoSchema()
    #: What the schema says of each method, and under which heading; without them the view is not in the schema.
    operations: ClassVar[Mapping[str, Operation]] = {}
    tag: ClassVar[str]
    #: What the query may say of methods that are not in the schema.
    query_class: ClassVar[type[Parameters]] = Parameters
    #: The query of the request.
    query: Parameters

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "Transfer-Encoding" in request.headers and not request.headers.get("Content-Length"):
            # Django would read it as empty.
            raise Problem(411, "length_required", "Send the body with its Content-Length, not in chunks.")
        method = "get" if request.method == "HEAD" else str(request.method).lower()
        if method in self.http_method_names and hasattr(self, method):  # others are refused as such
            operation = self.operations.get(method)
            self.query = (operation.query if operation else self.query_class).read(request)

    def get_authenticators(self) -> list[Any]:
        classes = self.authentication_classes
        return [cls() for cls in (conf.authentication_classes() if classes is None else classes)]

    def get_throttles(self) -> list[Any]:
        classes = self.throttle_classes
        return [cls() for cls in (conf.throttle_classes() if classes is None else classes)]

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        return errors.answer

    def get_authenticate_header(self, request: Request) -> str:
        """The challenges of all authenticators that have one."""
        headers = (authenticator.authenticate_header(request) for authenticator in self.get_authenticators())
        return ", ".join(dict.fromkeys(header for header in headers if header))


class NowhereView(TriggersView):
    """Everywhere else, so that the answer there is a problem too."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound


def url(request: Request, name: str, id: UUID | int) -> str:
    """The path of the resource wherever the API is mounted; without a host, which proxies change."""
    namespace = request.resolver_match.namespace  # type: ignore[union-attr]  # this request was resolved
    return reverse(f"{namespace}:{name}", kwargs={"id": id})


def refuse_stale(request: Request, tell: Callable[[], Any], what: str) -> None:
    """Refuse what is told now, where If-Match says that the caller has read something else."""
    expected = request.headers.get("If-Match")
    if expected is not None and expected.strip() != "*" and etag(tell()) not in parse_etags(expected):
        detail = f"The {what} has changed since it was read. Read it again, and send its ETag of now as If-Match."
        raise Problem(412, "precondition_failed", detail)


def unless_known(request: Request, told: Any) -> Response:
    """The answer under its entity tag; without a body for who has the same already."""
    tag = etag(told)
    if tag in parse_etags(request.headers.get("If-None-Match", "").replace("W/", "")):
        return Response(status=304, headers={"ETag": tag})
    return Response(told, headers={"ETag": tag})
