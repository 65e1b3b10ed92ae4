"""JSON Schemas of what people set up, made as the OpenAPI document is made, and bodies to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.plumbing import ComponentRegistry, normalize_result_object
from rest_framework.views import APIView

from triggers_api.schema.inspection import TriggersAutoSchema
from triggers_api.schema.tuning import own_settings
from triggers_api.serializers.polymorphic import VariantSerializer

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REF: Final = "#/components/schemas/"

#: What is written where the format is what matters.
_SAMPLES: Final[Mapping[str, str]] = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T09:00:00Z",
    "decimal": "1",
    "email": "anna@example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "0193b3f0-0000-7000-8000-000000000000",
}


def json_schema(serializer_class: type[VariantSerializer]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of what the serializer takes. It refers to nothing outside itself."""
    inspector = TriggersAutoSchema()
    view = APIView()
    view.request = None  # type: ignore[assignment]  # nobody asks
    inspector.view, inspector.method, inspector.registry = view, "POST", ComponentRegistry()
    with own_settings():
        own = inspector.resolve_serializer(serializer_class(), "request").name
        found = inspector.registry.build({})["schemas"]
    schemas: dict[str, Any] = _without_openapi(normalize_result_object(found))
    schema: dict[str, Any] = {"$schema": DIALECT} | schemas.pop(own)
    return schema | ({"$defs": schemas} if schemas else {})


def example(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A body that the schema of a serializer takes: what is required and what has defaults, and what is given."""
    required = schema.get("required", ())
    return {
        name: given[name] if name in given else _value(property, schema)
        for name, property in schema["properties"].items()
        if name in required or name in given or "default" in property
    }


def _without_openapi(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_openapi(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _without_openapi(value) for key, value in schema.items() if key != "discriminator"}
    if isinstance(ref := kept.get("$ref"), str):
        kept["$ref"] = ref.replace(_REF, "#/$defs/")
    return kept


def _value(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if key in schema:
            return schema[key][0]
    if "$ref" in schema:
        return _value(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    for key in ("allOf", "oneOf", "anyOf"):
        if key in schema:
            return _value(schema[key][0], root)
    type_ = schema.get("type", "object")
    return _PLAIN[type_ if isinstance(type_, str) else type_[0]](schema, root)


def _text(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    text = _SAMPLES.get(schema.get("format", ""), "text")
    return text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]


def _number(schema: Mapping[str, Any], root: Mapping[str, Any]) -> float:
    least, most = schema.get("minimum", 1), schema.get("maximum", 1)
    number: float = max(least, min(1, most))
    return number


def _items(schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[Any]:
    return [_value(schema["items"], root)] * schema.get("minItems", 0)


_PLAIN: Final[Mapping[str, Any]] = {
    "array": _items,
    "boolean": lambda schema, root: False,
    "integer": _number,
    "null": lambda schema, root: None,
    "number": _number,
    "object": lambda schema, root: {},
    "string": _text,
}
