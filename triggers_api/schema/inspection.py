"""How drf-spectacular is told what our views do."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from inspect import cleandoc
from typing import Any, Final

from django.db import models
from drf_spectacular.drainage import warn
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import (
    ComponentRegistry,
    ResolvedComponent,
    append_meta,
    build_choice_field,
    get_doc,
    is_jsonschema_compliant,
    safe_ref,
)
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from uritemplate import variables

from triggers_api.fields import Strict
from triggers_api.queries import Parameters
from triggers_api.schema import extensions as extensions  # found by being imported
from triggers_api.schema.names import enumeration_name, model_field
from triggers_api.schema.operations import IF_NONE_MATCH, Header, Operation
from triggers_api.schema.problems import refusal
from triggers_api.schema.tuning import OPERATIONS, tuned

_BLANK: Final = {"type": "string", "maxLength": 0}
_BIG: Final = (models.BigIntegerField, models.BigAutoField)
_LISTS: Final = (serializers.ListSerializer, serializers.ListField, serializers.ManyRelatedField)


class TriggersAutoSchema(AutoSchema):
    """
    The operations of a TriggersView, from its ``operations``, serializers, permissions and docstrings.

    They come out the same wherever the API is mounted and whatever drf-spectacular is set to do for the project.
    """

    method: str
    path: str
    registry: ComponentRegistry
    view: Any

    @property
    def operation(self) -> Operation:
        operation: Operation = self.view.operations[self.method.lower()]
        return operation

    def get_operation(self, *args: Any, **options: Any) -> Any:
        with tuned(OPERATIONS):
            return super().get_operation(*args, **options)

    def is_excluded(self) -> bool:
        """Each path is there without its slash too; and pages for people are no operations."""
        return not self.path.endswith("/") or self.method.lower() not in self.view.operations

    def get_operation_id(self) -> str:
        return self.operation.id

    def get_tags(self) -> list[str]:
        return [self.view.tag]

    def get_summary(self) -> str:
        return self._words[0]

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        return self._words[1]

    @property
    def _words(self) -> tuple[str, str]:
        """The first sentence of the docstring; the rest, and what the parameters of the query mean."""
        method = getattr(self.view, self.method.lower())
        text = (method.__doc__ and get_doc(method)) or get_doc(type(self.view))
        first, _full_stop, rest = text.partition(".")
        parts = [rest.strip()]
        if self.operation.query().fields:
            parts.append(cleandoc(self.operation.query.__doc__ or ""))
        return " ".join(first.split()), "\n\n".join(part for part in parts if part)

    # What is sent

    def get_request_serializer(self) -> Any:
        return self.operation.body

    def get_override_parameters(self) -> list[Any]:
        parameters: list[Any] = []
        if self.operation.query().fields:
            parameters.append(self.operation.query)
        parameters += [self._parameter(header) for header in self.operation.takes]
        status = self.operation.status
        return parameters + [self._parameter(header, status) for header in self.operation.gives]

    def get_examples(self) -> list[OpenApiExample]:
        return [OpenApiExample(name, value, request_only=True) for name, value in self.operation.examples().items()]

    def get_filter_backends(self) -> list[Any]:
        return []

    def _get_pagination_parameters(self) -> list[Any]:
        return []

    def _get_format_parameters(self) -> list[Any]:
        return []

    def _get_request_body(self, direction: Any = "request") -> Any:
        body = super()._get_request_body(direction)
        if body is not None:
            body["required"] = self.method != "PATCH"  # without one it changes nothing
        return body

    def _get_request_for_media_type(self, serializer: Any, direction: Any = "request") -> Any:
        schema, is_required = super()._get_request_for_media_type(serializer, direction)
        if isinstance(serializer, serializers.ListSerializer):
            schema = schema | self._bounds(serializer)
        return schema, is_required

    def _resolve_path_parameters(self, names: Any) -> Any:
        parameters: list[dict[str, Any]] = super()._resolve_path_parameters(names)
        for parameter in parameters:
            if parameter["schema"] == {"type": "integer"}:
                parameter["schema"] = {"type": "integer", "format": "int64", "minimum": 0, "maximum": 2**63 - 1}
        return parameters

    def _process_override_parameters(self, direction: str = "request") -> Any:
        parameters = super()._process_override_parameters(direction)
        for name, field in self.operation.query().fields.items():
            if callable(field.default) and not isinstance(field.default, type):
                parameters[name, OpenApiParameter.QUERY]["schema"]["default"] = field.default()
        return parameters

    @staticmethod
    def _parameter(header: Header, status: int | None = None) -> OpenApiParameter:
        return OpenApiParameter(
            header.name,
            dict(header.schema),
            OpenApiParameter.HEADER,
            required=status is not None and not header.is_optional,
            description=header.description,
            response=False if status is None else [status],
        )

    # What is answered

    def get_response_serializers(self) -> Any:
        operation = self.operation
        answer: Any = operation.answer
        if isinstance(answer, tuple):
            answer = {"anyOf": [self.resolve_serializer(each, "response").ref for each in answer]}
        if operation.is_page:
            answer = self._page(answer)
        statuses = [operation.status] + ([operation.also] if operation.also else [])
        return {status: OpenApiResponse(answer, HTTPStatus(status).phrase) for status in statuses}

    def _page(self, row: Any) -> dict[str, Any]:
        rows = self.resolve_serializer(row, "response")
        schema = {
            "type": "object",
            "description": "Rows of a list, and where there are more.",
            "properties": {
                "next": append_meta(
                    {"type": "string", "format": "uri-reference"},
                    {"nullable": True, "description": "The path of the next page, without a host; null on the last."},
                ),
                "results": {"type": "array", "items": rows.ref},
            },
            "required": ["next", "results"],
        }
        name = f"{rows.name.removeprefix('Listed')}Page"
        page = ResolvedComponent(name, ResolvedComponent.SCHEMA, schema, name)
        self.registry.register_on_missing(page)
        return page.ref

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        responses = super()._get_response_bodies(direction)
        if links := self.operation.links:
            responses[str(self.operation.status)]["links"] = {
                id: {"operationId": id, "parameters": {"id": f"$response.body#{pointer}"}}
                for id, pointer in links.items()
            }
        if IF_NONE_MATCH in self.operation.takes:
            responses["304"] = {"description": "It has not changed."}
        refuses = self.operation.refuses
        for status in sorted({*self._usual_refusals(), *refuses}):
            responses[str(status)] = refusal(self.registry, status, refuses.get(status, ()))
        return responses

    def _usual_refusals(self) -> Iterator[int]:
        """What is refused whatever the view does."""
        if self.method in ("POST", "PUT", "PATCH"):
            yield from (411, 413, 415)
        if self.view.permission_classes:
            yield from (401, 403, 503)
        if variables(self.path):
            yield 404
        if self.view.throttle_classes != []:
            yield 429
        yield from (400, 406)

    # Serializers and their fields

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)
        if direction == "response":
            schema["required"] = list(schema["properties"])  # answers leave nothing out
        elif isinstance(serializer, Strict):
            schema["additionalProperties"] = False
        return schema

    def _postprocess_serializer_schema(self, schema: Any, serializer: Any, direction: Any) -> Any:
        """What is only told or only sent is in one component only, which need not say so; and what is told is there."""
        schema = super()._postprocess_serializer_schema(schema, serializer, direction)
        drop = {"readOnly", "writeOnly"}
        if direction == "response" or serializer.partial:
            drop.add("default")
        for name, property in schema.get("properties", {}).items():
            if _BLANK in property.get("oneOf", ()):  # a blank text may be of the other form too
                property["anyOf"] = property.pop("oneOf")
                if "default" in property["anyOf"][0]:
                    property["default"] = property["anyOf"][0].pop("default")
            schema["properties"][name] = safe_ref({key: value for key, value in property.items() if key not in drop})
        return schema

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        if isinstance(field, serializers.ChoiceField) and not isinstance(field, serializers.MultipleChoiceField):
            return self._choice(field, direction)
        schema = super()._map_serializer_field(field, direction, bypass_extensions)
        if schema is None:
            return None
        if schema.get("type") == "integer" and isinstance(model_field(field), _BIG):
            schema["format"] = "int64"
        if isinstance(field, _LISTS):
            schema = schema | self._bounds(field)
        if isinstance(field, serializers.JSONField) and is_jsonschema_compliant():
            schema = self._anything(schema, field, direction)
        if direction == "request" and field.default in (list, dict) and "$ref" not in schema:
            schema["default"] = field.default()
        return schema

    def _map_model_field(self, model_field: Any, direction: Any) -> Any:
        schema = super()._map_model_field(model_field, direction)
        if isinstance(model_field, _BIG):
            schema["format"] = "int64"
        return schema

    @staticmethod
    def _anything(schema: dict[str, Any], field: Any, direction: Any) -> dict[str, Any]:
        """Whatever JSON there is; but null only where the field takes it."""
        if schema.get("oneOf") == [{}, {"type": "null"}]:  # of which null is both
            return {key: value for key, value in schema.items() if key != "oneOf"}
        if direction == "request" and not field.allow_null and schema.keys().isdisjoint({"$ref", "oneOf", "type"}):
            return schema | {"type": ["array", "boolean", "number", "object", "string"], "items": {}}
        return schema

    @staticmethod
    def _bounds(items: Any) -> dict[str, int]:
        """How many there must and may be in the list."""
        least, most = getattr(items, "min_length", None), getattr(items, "max_length", None)
        bounds = {"minItems": least if items.allow_empty else max(1, least or 0), "maxItems": most}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    def _choice(self, field: Any, direction: Any) -> Any:
        """A component for the choices, called after the field whose they are."""
        schema = build_choice_field(field)
        del schema["x-spec-enum-id"]
        schema["enum"] = [value for value in schema["enum"] if value not in ("", None)]
        if all(str(value) == str(text) for value, text in field.choices.items()):
            del schema["description"]
        asked = getattr(self.operation.answer, "Meta", None) if isinstance(field.parent, Parameters) else None
        name = enumeration_name(field, getattr(asked, "model", None))
        component = ResolvedComponent(name, ResolvedComponent.SCHEMA, schema, name)
        self.registry.register_on_missing(component)
        if self.registry[component].schema["enum"] != schema["enum"]:
            warn(f"The choices of {name} differ from field to field.")
        choice: dict[str, Any] = component.ref
        if field.allow_blank:
            choice = {"oneOf": [choice, extensions.constant("")]}
        return append_meta(choice, self._get_serializer_field_meta(field, direction))
