"""
Every error that the API answers: a problem as in RFC 9457, with a stable ``code``.

The only place that knows which HTTP status an error of :mod:`triggers.exceptions` has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from itertools import islice
from math import ceil
from typing import Any, Final

from django.core.exceptions import NON_FIELD_ERRORS, BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from django.utils.log import log_response
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    ValidationError,
)
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.settings import api_settings

from triggers.exceptions import ContextInvalid, FiringRefused, KeyConflict, KeyInvalid, TriggerIncomplete

#: The way to a value in the body: keys of objects and indexes of lists.
Path = tuple[str | int, ...]

MEDIA_TYPE: Final = "application/problem+json"
#: How many errors of one body are told.
MAX_ERRORS: Final = 100
#: How long a sentence is at most: what was sent may be part of it.
MAX_DETAIL: Final = 1000


class Problem(APIException):
    """The request is refused with this status and code; ``path`` leads to the part of the body that is wrong."""

    def __init__(self, status: int, code: str, detail: str, path: Path | None = None) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.path = path


class QueryInvalid(ValidationError):
    """The query parameters are refused; the detail is by parameter."""


@contextmanager
def at(path: Path, names: Mapping[str, str]) -> Iterator[None]:
    """
    What is refused in here is told to be at that part of the body, where arguments of ``fire`` have these names.

    A dedupe key without a name is in no body but in the header.
    """
    try:
        yield
    except (FiringRefused, Problem) as error:
        problem = _problem(error)
        if isinstance(error, KeyInvalid | KeyConflict) and error.argument in names:
            problem = Problem(problem.status_code, error.code, str(error), (error.argument,))
        if isinstance(problem, Problem) and problem.path:
            first, *rest = problem.path
            problem.path = (*path, names.get(str(first), first), *rest)
        raise problem from error


def answer(error: Exception, context: dict[str, Any]) -> Response:
    """
    The response to whatever was raised while a request was served; for views' ``get_exception_handler``.

    Failures of the server are logged and signalled as Django does with exceptions that leave a view; what a view
    answers on purpose is none.
    """
    problem = _problem(error)
    context["request"].accepted_renderer = JSONRenderer()  # whatever was asked for
    context["request"].accepted_media_type = JSONRenderer.media_type
    response = Response(
        {
            "type": "about:blank",
            "title": title(problem.status_code),
            "status": problem.status_code,
            "detail": _shortened(_sentence(problem)),
            "code": _code(problem),
            "errors": list(islice(entries(problem), MAX_ERRORS)),
        },
        status=problem.status_code,
        headers=_headers(problem),
        content_type=MEDIA_TYPE,
    )
    if response.status_code >= 500 and not isinstance(error, Problem):
        request = context["request"]._request
        got_request_exception.send(sender=None, request=request)
        message = "%s: %s"
        log_response(message, response.reason_phrase, request.path, response=response, request=request, exception=error)
    return response


def title(status: int) -> str:
    """What RFC 9110 calls the status; Python calls two of them so from 3.13 on."""
    return {413: "Content Too Large", 422: "Unprocessable Content"}.get(status) or HTTPStatus(status).phrase


def _problem(error: Exception) -> APIException:
    match error:
        case KeyConflict():
            return Problem(422, error.code, f"Idempotency-Key: {error}")
        case KeyInvalid():
            return Problem(400, error.code, f"Idempotency-Key: {error}")
        case ContextInvalid():
            return Problem(400, error.code, str(error), (error.argument, *error.path))
        case TriggerIncomplete():
            return Problem(409, error.code, str(error))
        case FiringRefused():
            return Problem(400, error.code, str(error), (error.argument,))
        case NotAuthenticated() | AuthenticationFailed():
            error.status_code = 401  # REST framework makes it 403 where no authenticator names a scheme
            return error
        case APIException():
            return error
        case Http404():
            return NotFound()
        case DjangoPermissionDenied():
            return PermissionDenied()
        case RequestDataTooBig():
            return Problem(413, "body_too_large", "The body is too long.")
        case BadRequest() | SuspiciousOperation() | MultiPartParserError():
            return Problem(400, "bad_request", "The request cannot be read.")
        case OperationalError() | InterfaceError():
            return Problem(503, "database_unavailable", "The database is not available. Try again later.")
        case _:
            return Problem(500, "server_error", "The server failed; its log says why.")


def _sentence(problem: APIException) -> str:
    if isinstance(problem, QueryInvalid):
        return "The query is not valid: errors says where."
    if isinstance(problem, ValidationError):
        return "The body is not valid: errors says where."
    # Authentication packages pass whole objects.
    return str(problem.detail if isinstance(problem.detail, str) else problem.default_detail)


def _code(problem: APIException) -> str:
    if isinstance(problem, QueryInvalid):
        return "query_invalid"
    if isinstance(problem, ValidationError):
        return "body_invalid"
    return str(getattr(problem.detail, "code", problem.default_code))


def entries(problem: APIException) -> Iterator[dict[str, str]]:
    """What is wrong, part by part."""
    if isinstance(problem, ValidationError):
        yield from _leaves(problem.detail, ())
    elif isinstance(problem, Problem) and problem.path is not None:
        yield _entry(problem.detail, problem.path)


#: Keys of what is wrong with the object or list itself: REST framework's and Django's.
_WHOLE: Final = frozenset({api_settings.NON_FIELD_ERRORS_KEY, NON_FIELD_ERRORS})


def _leaves(detail: Any, path: Path) -> Iterator[dict[str, str]]:
    """The errors of a field, or of a nested object (a mapping) or list (a mapping by index, or a list)."""
    if isinstance(detail, dict):
        for part, item in detail.items():
            yield from _leaves(item, path if part in _WHOLE else (*path, part))
    elif isinstance(detail, list):
        for index, item in enumerate(detail):
            yield from _leaves(item, path if isinstance(item, str) else (*path, index))
    else:
        yield _entry(detail, path)


def _entry(detail: Any, path: Path) -> dict[str, str]:
    return {"pointer": pointer(path), "code": str(detail.code), "detail": _shortened(str(detail))}


def _shortened(sentence: str) -> str:
    return sentence if len(sentence) <= MAX_DETAIL else f"{sentence[: MAX_DETAIL - 1]}…"


def pointer(path: Path) -> str:
    """The path as a JSON pointer, RFC 6901."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _headers(problem: APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(problem, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(problem, "wait", None):
        headers["Retry-After"] = str(ceil(wait))
    return headers
