"""Persons as they are told and set."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from triggers_api.fields import MomentField, Strict
from triggers_api.service.people.models import Person, validate_attributes
from triggers_api.strict import EmailField, StrictModelSerializer


class PersonSerializer(Strict, StrictModelSerializer):
    """Somebody events happen to. What is left out has its default: blank, or an empty object."""

    key = serializers.CharField(read_only=True)
    email = EmailField(source="user.email", max_length=254, allow_blank=True, default="")
    attributes = serializers.DictField(
        default=dict,
        validators=[validate_attributes],
        error_messages={"not_a_dict": _("Write an object.")},
        help_text=_("What else there is to know: expressions and templates can read it."),
    )
    created_at = MomentField(read_only=True)
    updated_at = MomentField(read_only=True)

    class Meta:
        model = Person
        fields = ("key", "email", "name", "time_zone", "attributes", "created_at", "updated_at")

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        return values | {"email": values.pop("user")["email"]}
