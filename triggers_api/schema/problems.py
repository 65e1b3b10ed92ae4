"""Refusals in the schema: one Problem, and a response for each status that operations share."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent

from triggers_api.errors import MAX_ERRORS, MEDIA_TYPE, title

PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Why a request was refused, as in RFC 9457. Nothing was changed.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Always about:blank: see the code."},
        "title": {"type": "string", "description": "What HTTP calls the status."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "A sentence for people."},
        "code": {"type": "string", "description": "The same for the same reason, for programs."},
        "errors": {
            "type": "array",
            "maxItems": MAX_ERRORS,
            "description": "What is wrong, part by part; empty where no part is to blame.",
            "items": {"$ref": "#/components/schemas/ProblemPart"},
        },
    },
    "required": ["type", "title", "status", "detail", "code", "errors"],
}

PART: Final[dict[str, Any]] = {
    "type": "object",
    "description": "One part of a request that is wrong.",
    "properties": {
        "pointer": {
            "type": "string",
            "description": "A JSON pointer (RFC 6901) into the body; or /name of a parameter of the query.",
        },
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
    "required": ["pointer", "code", "detail"],
}

#: For each status with which operations refuse for the same reasons: its name, what it means, and a code.
SHARED: Final[dict[int, tuple[str, str, str]]] = {
    400: ("BadRequest", "The body or the query is not valid.", "body_invalid"),
    401: ("NotAuthenticated", "There are no credentials, or they are not good.", "not_authenticated"),
    403: ("PermissionDenied", "A permission is missing.", "permission_denied"),
    404: ("NotFound", "There is nothing here.", "not_found"),
    406: ("NotAcceptable", "The answer is to be had as JSON only.", "not_acceptable"),
    411: ("LengthRequired", "The body comes in chunks, without its length.", "length_required"),
    413: ("BodyTooLarge", "The body is too long.", "body_too_large"),
    415: ("UnsupportedMediaType", "The body is of a type that is not read.", "unsupported_media_type"),
    429: ("Throttled", "There are too many requests.", "throttled"),
    503: ("Unavailable", "The database does not answer.", "database_unavailable"),
}

_HEADERS: Final[dict[int, dict[str, Any]]] = {
    401: {
        "WWW-Authenticate": {
            "schema": {"type": "string"},
            "description": "How to authenticate, where a scheme has a challenge.",
        }
    },
    429: {
        "Retry-After": {
            "schema": {"type": "integer", "minimum": 1},
            "description": "After how many seconds to ask again.",
        }
    },
}


def refusal(registry: ComponentRegistry, status: int, codes: Collection[str] = ()) -> dict[str, Any]:
    """The response; one that only this operation has if it has codes of its own."""
    _register(registry, ResolvedComponent.SCHEMA, "ProblemPart", PART)
    problem = _register(registry, ResolvedComponent.SCHEMA, "Problem", PROBLEM)
    if codes:
        said = f"Refused with the code {_either(codes)}."
        if status in SHARED:
            said = f"{SHARED[status][1]} Or: {said[0].lower()}{said[1:]}"
        return _response(problem, said, status, next(iter(codes)))
    name, meaning, code = SHARED[status]
    return _register(registry, ResolvedComponent.RESPONSE, name, _response(problem, meaning, status, code))


def _response(problem: dict[str, Any], description: str, status: int, code: str) -> dict[str, Any]:
    headers = {"headers": _HEADERS[status]} if status in _HEADERS else {}
    content = {"schema": problem, "example": _example(status, code)}
    return {"description": description, **headers, "content": {MEDIA_TYPE: content}}


def _example(status: int, code: str) -> dict[str, Any]:
    part = {"pointer": "/users/3", "code": "invalid", "detail": "Name a user by a string or an integer."}
    return {
        "type": "about:blank",
        "title": title(status),
        "status": status,
        "detail": "A sentence that says what is wrong.",
        "code": code,
        "errors": [part] if status == 400 else [],
    }


def _either(codes: Collection[str]) -> str:
    *most, last = [f"`{code}`" for code in codes]
    return f"{', '.join(most)} or {last}" if most else last


def _register(registry: ComponentRegistry, kind: str, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    component = ResolvedComponent(name=name, type=kind, schema=schema, object=name)
    registry.register_on_missing(component)
    ref: dict[str, Any] = component.ref
    return ref
