"""Event types as they are told and set."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from triggers.contrib.events.models import EventType
from triggers_api.fields import Strict
from triggers_api.serializers.types import JsonSchemaField
from triggers_api.strict import StrictModelSerializer


class NamedEventTypeSerializer(Strict, StrictModelSerializer):
    """A name by which events are fired, and what their contexts hold. The name stays what it is."""

    context_schema = JsonSchemaField(
        allow_null=True,
        default=None,
        error_messages={"not_a_dict": _("Write the schema as an object.")},
        help_text="A JSON Schema (2020-12) that every context is checked against; null: any context is taken.",
    )

    class Meta:
        model = EventType
        fields = ("name", "description", "context_schema")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.instance is not None and attrs.get("name", self.instance.name) != self.instance.name:
            message = "An event type keeps its name: make another one, and delete this one."
            raise serializers.ValidationError({"name": [ErrorDetail(message, "name_fixed")]})
        try:
            EventType(**attrs).clean()
        except DjangoValidationError as error:
            raise serializers.ValidationError(
                {
                    field: [ErrorDetail(each.messages[0], each.code or "invalid") for each in errors]
                    for field, errors in error.error_dict.items()
                }
            ) from None
        return attrs
