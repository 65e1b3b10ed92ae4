"""
CloudEvents 1.0 as HTTP brings them: an event in the body (structured), in headers and body (binary), or many (batched).

The SDK is no strict receiver: it makes up attributes that are missing, and takes octets that are no UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from triggers_api.errors import MAX_ERRORS, Problem
from triggers_api.fields import ContextField, MomentField, TextField, UserField, whole
from triggers_api.negotiation import Negotiation
from triggers_api.parsers import StrictJSONParser, StrictParser

#: What names of attributes are.
NAME: Final = "[a-z0-9]+"
#: How a Content-Type begins that is JSON's, or that of something written in JSON.
JSON_TYPE: Final = r"[^;]*[/+][Jj][Ss][Oo][Nn][ \t]*(;|$)"
#: How many events come together at most.
MAX_EVENTS: Final = 100
_FAMILY: Final = "application/cloudevents"
_HEADER: Final = "ce-"
#: What is not among the headers: the body and its type take their places.
_NOT_IN_HEADERS: Final = frozenset({"data", "datacontenttype"})


class StructuredParser(StrictJSONParser):
    """Reads an event."""

    media_type = f"{_FAMILY}+json"


class BatchParser(StrictParser):
    """Reads a list of events."""

    media_type = f"{_FAMILY}-batch+json"

    def _check_whole(self, value: Any) -> None:
        if not isinstance(value, list):
            raise Problem(400, "json_not_a_list", "The body is not a JSON array.")


class DataParser(StrictParser):
    """Reads the data of an event whose attributes are in the headers."""

    def parse(self, *args: Any, **options: Any) -> Any:
        try:
            return super().parse(*args, **options)
        except Problem as problem:
            if problem.path is not None:
                problem.path = ("data", *problem.path)
            raise


class EventNegotiation(Negotiation):
    """Chooses the parser by the mode that the Content-Type says the events come in."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        media_type = media_type_of(request.content_type)
        by_type = {parser.media_type: parser for parser in parsers}
        if media_type.startswith(_FAMILY):
            return by_type.get(media_type)
        return by_type[DataParser.media_type] if is_json(request.content_type) else None


class SubjectField(UserField):
    """A user, named in a string."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class CloudEventSerializer(serializers.Serializer[Any]):
    """An event in its JSON form. Attributes that are null are not there; extensions are read by nobody."""

    specversion = TextField(trim_whitespace=False)
    id = TextField(trim_whitespace=False)
    source = TextField(trim_whitespace=False)  # type: ignore[assignment]  # a field takes the property's place
    type = TextField(trim_whitespace=False)
    subject = SubjectField(
        error_messages={
            "required": "Name in subject the user to whom the event happened.",
            "invalid": "Name the user in a string.",
        }
    )
    time = MomentField(required=False)
    datacontenttype = TextField(trim_whitespace=False, required=False)
    dataschema = TextField(trim_whitespace=False, required=False)
    data = ContextField(default=dict)  # type: ignore[assignment]  # a field takes the property's place

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            self.fail("invalid", datatype=type(data).__name__)
        attributes = {name: value for name, value in data.items() if value is not None}
        errors: dict[str, Any] = {}
        values = None
        try:
            values = super().to_internal_value(attributes)
        except serializers.ValidationError as error:
            errors = dict(error.detail)  # type: ignore[arg-type]
        errors |= dict(islice(self._wrong_extensions(attributes), MAX_ERRORS))
        if errors:
            raise serializers.ValidationError(errors)
        return values

    def validate_specversion(self, version: str) -> str:
        if version != "1.0":
            raise serializers.ValidationError("Only the version 1.0 is understood.", "specversion_unknown")
        return version

    def validate_datacontenttype(self, content_type: str) -> str:
        if not is_json(content_type):
            raise serializers.ValidationError("Only data in JSON is understood.", "datacontenttype_unknown")
        return content_type

    def _wrong_extensions(self, attributes: Mapping[str, Any]) -> Iterator[tuple[str, list[ErrorDetail]]]:
        for name, value in attributes.items():
            if name in self.fields:
                continue
            if name == "data_base64":
                code = "exclusive" if "data" in attributes else "invalid"
                yield name, [ErrorDetail("Send the data as a JSON object, in data.", code)]
            elif not re.fullmatch(NAME, name):
                yield name, [ErrorDetail("Names of attributes are of a to z and 0 to 9.", "attribute_invalid")]
            elif not isinstance(value, str | bool) and whole(value) is None:
                yield name, [ErrorDetail("Write a string, an integer, true or false.", "attribute_invalid")]


def event_in_headers(request: Request, data: Any) -> dict[str, Any]:
    """The event of a request in binary mode, in its JSON form. Raises ValidationError by attribute."""
    event: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for header, value in request.headers.items():
        name = header.lower().removeprefix(_HEADER)
        if name == header.lower():
            continue
        try:
            if name in _NOT_IN_HEADERS:
                raise ValueError("This is not sent in a header of its own: it is the body and its Content-Type.")
            event[name] = decode_header(value)
        except ValueError as error:
            errors[name] = [ErrorDetail(str(error), "header_invalid")]
    if errors:
        raise serializers.ValidationError(errors)
    if request.content_type:
        event["datacontenttype"] = request.content_type
    return event | {"data": data}


def decode_header(value: str) -> str:
    """The text that a header holds: out of its quotes, if it has some, and percent-decoded. Raises ValueError."""
    if not (value.isascii() and value.isprintable()):
        raise ValueError("The header holds characters that are to be percent-encoded.")
    if value.startswith('"'):
        quoted = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', value)
        if quoted is None:
            raise ValueError("The header begins with a quotation mark that does not end it.")
        value = re.sub(r"\\(.)", r"\1", quoted[1])
    if re.search("%(?![0-9A-Fa-f]{2})", value):
        raise ValueError("A % in the header is not followed by two hexadecimal digits.")
    try:
        text = unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise ValueError("What is percent-encoded in the header is not UTF-8.") from None
    if re.search("[\x00-\x1f\x7f-\x9f]", text):
        raise ValueError("The header holds control characters.")
    return text


def media_type_of(content_type: str) -> str:
    """The media type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_json(content_type: str) -> bool:
    """Whether it is JSON's, or that of something written in JSON."""
    return re.match(JSON_TYPE, content_type) is not None
