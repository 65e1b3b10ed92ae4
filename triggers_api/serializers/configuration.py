"""What a configuration is made of: the serializers of rows, with what is set by operations elsewhere."""

from __future__ import annotations

from functools import cache
from typing import Any

from rest_framework import serializers

from triggers_api.fields import ListField, StrictSerializer
from triggers_api.serializers.definitions import TriggerSerializer
from triggers_api.serializers.polymorphic import VariantSerializer
from triggers_api.strict import BooleanField


class ConfiguredTriggerSerializer(TriggerSerializer):
    """A trigger of any class. Where ``is_enabled`` is left out it stays as it is; a new trigger is not enabled then."""

    @classmethod
    def serializer_class_of(cls, model: Any) -> type[VariantSerializer]:
        return _configured(super().serializer_class_of(model))


@cache
def _configured(variant: type[VariantSerializer]) -> type[VariantSerializer]:
    fields = {"is_enabled": BooleanField(required=False), "schema_prefix": "Configured", "__doc__": variant.__doc__}
    return type(f"Configured{variant.__name__}", (variant,), fields)


class SectionField(ListField):
    """The items of a section, each judged when it is applied."""

    def __init__(self, item: type[serializers.BaseSerializer[Any]]) -> None:
        super().__init__(child=serializers.JSONField(), required=False)
        self.item = item


class ConfigurationSerializer(StrictSerializer):
    """A configuration. A section that is left out stays as it is."""

    part = "section"

    def get_fields(self) -> dict[str, Any]:
        from triggers_api.configuration.sections import sections

        return {section.name: SectionField(section.serializer_class) for section in sections()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError(f"Give one or more of {', '.join(self.fields)}.", "required")
        return attrs


class ConfigurationChangeSerializer(serializers.Serializer[Any]):
    """What was, or would be, done to one row: null is what it was before it was added, and is once it is deleted."""

    section = serializers.CharField()
    name = serializers.CharField()
    action = serializers.ChoiceField(choices=["add", "change", "delete"])
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)
    secrets = serializers.ListField(
        child=serializers.CharField(), help_text="Pointers to what differs and is never told."
    )


class ConfigurationLeftSerializer(serializers.Serializer[Any]):
    """A row that the configuration does not name."""

    section = serializers.CharField()
    name = serializers.CharField()


class ConfigurationOutcomeSerializer(serializers.Serializer[Any]):
    """What a configuration changed, or would change, and what there is that it does not name."""

    applied = serializers.BooleanField()
    changes = ConfigurationChangeSerializer(many=True)
    left = ConfigurationLeftSerializer(many=True)
