"""How types of components are told, for the schema: :mod:`triggers_api.discovery` tells them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class JsonSchemaField(serializers.DictField):
    """A JSON Schema."""


class EventTypeSerializer(serializers.Serializer[Any]):
    """What can be fired."""

    type = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField(help_text="The docstring of the class.")
    context_schema = JsonSchemaField(
        allow_null=True, help_text="The JSON Schema of the context, where the event declares one."
    )
    enabled_triggers = serializers.IntegerField(min_value=0, help_text="How many enabled triggers it can start.")


class ComponentTypeSerializer(serializers.Serializer[Any]):
    """What components of one class are."""

    type = serializers.CharField()
    kind = serializers.ChoiceField(choices=["event", "condition", "action"])
    title = serializers.CharField()
    description = serializers.CharField(help_text="The docstring of the class.")
    context_schema = JsonSchemaField(
        allow_null=True, help_text="Of events: the JSON Schema of the context, where the event declares one."
    )
    schema = JsonSchemaField(help_text="Of a component in a trigger.")
    example = serializers.DictField(help_text="A component to begin with.")
    may_be_made = serializers.BooleanField(help_text="Whether this server lets one be made over HTTP.")


class EventTypesSerializer(serializers.Serializer[Any]):
    """What can be fired with these credentials."""

    results = EventTypeSerializer(many=True)


class ComponentTypesSerializer(serializers.Serializer[Any]):
    """What triggers can be made of."""

    results = ComponentTypeSerializer(many=True)
