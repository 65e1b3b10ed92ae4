"""Fields and serializers of ours that drf-spectacular cannot know."""

from __future__ import annotations

from typing import Any, Final

from django.core.validators import MinValueValidator
from django.db import models
from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry, ResolvedComponent, append_meta, is_jsonschema_compliant
from rest_framework.utils.field_mapping import ClassLookupDict

from triggers.models import Event, Occurrence
from triggers.recording import MAX_KEY_LENGTH
from triggers.registry import component_types, description, has_names, label
from triggers_api import people
from triggers_api.cloudevents import JSON_TYPE, NAME
from triggers_api.queries import Parameters
from triggers_api.schema.names import variant_name
from triggers_api.strict import BOUNDS, TimeField

_NUMBER: Final = "[0-9]+([.,][0-9]+)?"
_DURATION: Final = f"P({_NUMBER}D)?(T({_NUMBER}H)?({_NUMBER}M)?({_NUMBER}S)?)?$"
#: As django.utils.dateparse reads ISO 8601. The format “duration” is RFC 3339's, which has no fractions and no signs.
DURATION: Final = f"^[-+]?{_DURATION}"
#: What database keys are.
BIG: Final = {"type": "integer", "format": "int64"}
ANY_OBJECT: Final = {"type": "object", "additionalProperties": {}}


class UserExtension(OpenApiSerializerFieldExtension):
    """A text, by whatever field users are named here; of keys that are numbers, the number too."""

    target_class = "triggers_api.fields.UserField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        if direction == "response":
            return {"type": "string"}
        field = people.naming_field()
        text: dict[str, Any] = {"type": "string", "minLength": 1}
        if isinstance(field, models.IntegerField):
            text["pattern"] = "^(0|-?[1-9][0-9]*)$"
        elif isinstance(field, models.UUIDField):
            text["format"] = "uuid"
        elif isinstance(field, models.EmailField):
            text["format"] = "email"
        if field.max_length and "format" not in text:
            text["maxLength"] = field.max_length
        if self.is_text or not isinstance(field, models.IntegerField):
            return text
        least, most = ClassLookupDict(BOUNDS)[field]
        return {"oneOf": [text, BIG | {"minimum": least, "maximum": most}]}

    @property
    def is_text(self) -> bool:
        """Queries have nothing but text."""
        return isinstance(self.target.parent, Parameters)


class PersonExtension(UserExtension):
    target_class = "triggers_api.references.PersonField"


class SubjectExtension(UserExtension):
    target_class = "triggers_api.cloudevents.SubjectField"
    is_text = True


class ValueReferenceExtension(OpenApiSerializerFieldExtension):
    """As the column that the row is named by."""

    target_class = "triggers_api.references.ValueReferenceField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        column = self.target._column
        schema: dict[str, Any] = auto_schema._map_model_field(column, direction)
        return schema | ({"maxLength": column.max_length} if column.max_length and direction == "request" else {})


class OtherExtension(OpenApiSerializerFieldExtension):
    """Only the app that has the field knows what it takes."""

    target_class = "triggers_api.strict.OtherField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return {}


class IdExtension(OpenApiSerializerFieldExtension):
    target_class = "triggers_api.fields.IdField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return BIG | {"minimum": 0, "maximum": 2**63 - 1}


class KeyExtension(OpenApiSerializerFieldExtension):
    target_class = "triggers_api.serializers.firing.KeyField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": "^[ -~]+$"}


class ContextExtension(OpenApiSerializerFieldExtension):
    target_class = "triggers_api.fields.ContextField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        about = "What there is to know of an event, for actions to read. Empty if it is not sent."
        return shared(auto_schema.registry, "Context", ANY_OBJECT | {"description": about})


class JsonSchemaExtension(OpenApiSerializerFieldExtension):
    target_class = "triggers_api.serializers.types.JsonSchemaField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        about = "A JSON Schema of the draft 2020-12."
        return shared(auto_schema.registry, "JsonSchema", ANY_OBJECT | {"description": about})


class FireExtension(OpenApiSerializerExtension):
    """What the fields may be together, and which event types there are."""

    target_class = "triggers_api.serializers.firing.HappeningSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Any:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        schema["properties"]["type"] = event_types(auto_schema.registry)
        schema["properties"]["delay"]["pattern"] = f"^[+]?{_DURATION}"
        chosen: list[Any] = [{"oneOf": [{"required": [name]} for name in names]} for names in self.target.one_of]
        chosen += [{"not": {"required": list(names)}} for names in self.target.one_at_most]
        return schema | {"allOf": chosen}


class CloudEventExtension(OpenApiSerializerExtension):
    """CloudEvents may have attributes of any name."""

    target_class = "triggers_api.cloudevents.CloudEventSerializer"

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Any:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        schema["properties"]["specversion"]["enum"] = ["1.0"]
        schema["properties"]["datacontenttype"]["pattern"] = f"^{JSON_TYPE}"
        schema["properties"]["type"] = event_types(auto_schema.registry)
        kinds = [{"type": type_} for type_ in ("string", "boolean", "integer")]
        others = append_meta({"oneOf": kinds}, {"nullable": True})
        names = {"propertyNames": {"pattern": f"^{NAME}$"}} if is_jsonschema_compliant() else {}
        return schema | names | {"additionalProperties": others}


def types_of(*kinds: Any) -> list[str]:
    return sorted(label(model) for kind in kinds for model in component_types(kind))


def constant(value: str) -> dict[str, Any]:
    """The only text there is."""
    return {"type": "string"} | ({"const": value} if is_jsonschema_compliant() else {"enum": [value]})


def enumeration(registry: ComponentRegistry, name: str, values: list[str]) -> Any:
    return shared(registry, name, {"type": "string", "enum": values})


def event_types(registry: ComponentRegistry) -> Any:
    """What can be fired; any name where some are rows, of which there are others tomorrow."""
    models = component_types(Event)
    labels = sorted(label(model) for model in models if not has_names(model))
    if len(labels) == len(models):
        return enumeration(registry, "EventTypeEnum", labels)
    longest = Occurrence._meta.get_field("type").max_length
    about = "The label of a class of events, or the name of an event type: event-types/ lists them."
    name = {"type": "string", "minLength": 1, "maxLength": longest, "description": about}
    return shared(registry, "EventTypeName", name | (_example(labels[0]) if labels else {}))


def shared(registry: ComponentRegistry, name: str, schema: dict[str, Any]) -> Any:
    """A reference to the schema, which has a name of its own."""
    component = ResolvedComponent(name, ResolvedComponent.SCHEMA, schema, name)
    registry.register_on_missing(component)
    return component.ref


class DurationExtension(OpenApiSerializerFieldExtension):
    target_class = "rest_framework.fields.DurationField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return {"type": "string", "pattern": DURATION} | _example("P1D")


def _example(value: str) -> dict[str, Any]:
    return {"examples": [value]} if is_jsonschema_compliant() else {"example": value}


class TimeExtension(OpenApiSerializerFieldExtension):
    """The format “time” is RFC 3339's, which has an offset."""

    target_class = "triggers_api.strict.TimeField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return {"type": "string", "pattern": f"^{TimeField.pattern}$"} | _example("09:30:00")


class URLExtension(OpenApiSerializerFieldExtension):
    """The format “uri” alone is that of mail addresses and ISBNs too."""

    target_class = "triggers_api.strict.URLField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return {"type": "string", "format": "uri", "pattern": "^(http|ftp)s?://"}


class IPAddressExtension(OpenApiSerializerFieldExtension):
    target_class = "triggers_api.strict.IPAddressField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        versions = ("ipv4", "ipv6") if self.target.protocol == "both" else (self.target.protocol.lower(),)
        kinds = [{"type": "string", "format": version} for version in versions]
        return kinds[0] if len(kinds) == 1 else {"oneOf": kinds}


class NumberExtension(OpenApiSerializerFieldExtension):
    target_class = "triggers_api.fields.NumberField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        least, most = self.target.bounds
        return {"type": "integer", "minimum": least, "maximum": most}


class DecimalExtension(OpenApiSerializerFieldExtension):
    """REST framework's pattern lets through what is no number, as “-.”."""

    target_class = "triggers_api.strict.DecimalField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        whole, places = self.target.max_whole_digits, self.target.decimal_places
        sign = "" if self._is_never_negative else "-?"
        pattern = f"^{sign}[0-9]{_times(whole)}" + (rf"(\.[0-9]{_times(places)})?$" if places != 0 else "$")
        return {"type": "string", "format": "decimal", "pattern": pattern}

    @property
    def _is_never_negative(self) -> bool:
        limits = [each.limit_value for each in self.target.validators if isinstance(each, MinValueValidator)]
        return any(not callable(limit) and limit >= 0 for limit in limits)


def _times(most: int | None) -> str:
    return "+" if most is None else f"{{1,{max(most, 1)}}}"


class ComponentIdExtension(OpenApiSerializerFieldExtension):
    target_class = "triggers_api.serializers.definitions.ComponentIdField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return dict(BIG)


class ComponentTypeExtension(OpenApiSerializerFieldExtension):
    target_class = "triggers_api.fields.ComponentTypeField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return enumeration(auto_schema.registry, "ComponentTypeEnum", types_of(*self.target.kinds))


class EventTypeExtension(OpenApiSerializerFieldExtension):
    target_class = "triggers_api.fields.EventTypeField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return event_types(auto_schema.registry)


class FlagExtension(OpenApiSerializerFieldExtension):
    target_class = "triggers_api.fields.FlagField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return {"type": "boolean"}


class RecordIdExtension(OpenApiSerializerFieldExtension):
    target_class = "triggers_api.fields.RecordIdField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return {"type": "string", "format": "uuid"}


class TypeExtension(OpenApiSerializerFieldExtension):
    """The one type that the class has: what clients tell the variants by."""

    target_class = "triggers_api.serializers.polymorphic.TypeField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        schema = constant(label(self.target.parent.Meta.model))
        return schema if "const" in schema else {"oneOf": [schema]}  # nothing that a hook could take for an enumeration


class ConfigurationExtension(OpenApiSerializerExtension):
    """Says something."""

    target_class = "triggers_api.serializers.configuration.ConfigurationSerializer"

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return auto_schema._map_serializer(self.target, direction, bypass_extensions=True) | {"minProperties": 1}


class SectionExtension(OpenApiSerializerFieldExtension):
    """The items of a section of a configuration."""

    target_class = "triggers_api.serializers.configuration.SectionField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> Any:
        return {"type": "array", "items": auto_schema.resolve_serializer(self.target.item, direction).ref}


class VariantExtension(OpenApiSerializerExtension):
    """One class of triggers or components."""

    target_class = "triggers_api.serializers.polymorphic.VariantSerializer"
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: Any) -> str:
        return str(self.target.schema_prefix) + variant_name(self.target.Meta.model)

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Any:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        schema.pop("description", None)
        if text := description(self.target.Meta.model):
            schema["description"] = text
        return schema


class PolymorphicExtension(OpenApiSerializerExtension):
    """Any class of a kind: one of the variants, as ``type`` says."""

    target_class = "triggers_api.serializers.polymorphic.PolymorphicSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Any:
        variants = {
            type_: auto_schema.resolve_serializer(serializer_class(partial=self.target.partial), direction).ref
            for type_, serializer_class in self.target.variants().items()
        }
        if self.target.partial and direction == "request":
            return {"anyOf": list(variants.values())}  # the type of what is changed may be left out
        mapping = {type_: ref["$ref"] for type_, ref in variants.items()}
        return {"oneOf": list(variants.values()), "discriminator": {"propertyName": "type", "mapping": mapping}}
