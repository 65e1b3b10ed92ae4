"""What views say of themselves for the schema, beyond what their code tells: an Operation for each method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rest_framework.serializers import BaseSerializer

from triggers_api.queries import Parameters

#: A serializer (of many: an instance), or a JSON Schema where there is none.
Content = type[BaseSerializer[Any]] | BaseSerializer[Any] | Mapping[str, Any]


@dataclass(frozen=True)
class Header:
    """A header of requests or answers."""

    name: str
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    #: Of answers: whether there is none at times. Requests need none of ours.
    is_optional: bool = False


@dataclass(frozen=True)
class Operation:
    """One method of a view. Its summary and description are the first sentence and the rest of the docstring."""

    #: What clients call it.
    id: str
    #: What is answered; one of several.
    answer: Content | tuple[type[BaseSerializer[Any]], ...] | None = None
    status: int = 200
    #: Another status with which the same is answered.
    also: int | None = None
    #: Whether the answer is a page of such rows.
    is_page: bool = False
    #: What is sent, by media type if there are several.
    body: Content | Mapping[str, Content] | None = None
    #: The parameters of the query; its docstring goes with the view's.
    query: type[Parameters] = Parameters
    #: Headers of the request, and of the answer.
    takes: tuple[Header, ...] = ()
    gives: tuple[Header, ...] = ()
    #: Operations that the id of what is answered leads to, with the JSON pointer to it.
    links: Mapping[str, str] = field(default_factory=dict)
    #: Codes by the status with which only some operations refuse.
    refuses: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    #: Makes bodies to begin with, by what they show.
    examples: Callable[[], Mapping[str, Any]] = dict


def told(**properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of an answer that is an object of these properties."""
    return {"type": "object", "properties": properties, "required": list(properties)}


ETAG: Final = Header("ETag", "Changes when what is answered changes.")
IF_MATCH: Final = Header("If-Match", "An ETag: refuse with 412 unless the resource still has it.")
IF_NONE_MATCH: Final = Header("If-None-Match", "An ETag: answer 304 if the resource still has it.")
LOCATION: Final = Header(
    "Location", "The path of the resource, without a host.", {"type": "string", "format": "uri-reference"}
)
IDEMPOTENCY_KEY: Final = Header(
    "Idempotency-Key",
    "Of your choice. The same key with the same content fires once, however often it is sent.",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"},
)
REPLAYED: Final = Header(
    "Idempotent-Replayed",
    "There if the key was used before: the answer tells what was fired then.",
    {"type": "string", "enum": ["true"]},
    is_optional=True,
)
