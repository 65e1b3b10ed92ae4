"""
Fields that take one JSON type each, in place of REST framework's, which make one type out of another, and the
serializers made of them. What the schema says is then what is accepted.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.utils.field_mapping import ClassLookupDict

from triggers_api.fields import DurationField, MomentField, TextField, whole
from triggers_api.references import PersonField, ReferenceField, ValueReferenceField

#: What the integer columns hold in PostgreSQL; other databases' bounds differ, and the API is one.
BOUNDS: Final[dict[Any, tuple[int, int]]] = {
    models.SmallIntegerField: (-(2**15), 2**15 - 1),
    models.PositiveSmallIntegerField: (0, 2**15 - 1),
    models.IntegerField: (-(2**31), 2**31 - 1),
    models.PositiveIntegerField: (0, 2**31 - 1),
    models.BigIntegerField: (-(2**63), 2**63 - 1),
    models.PositiveBigIntegerField: (0, 2**63 - 1),
}


class BooleanField(serializers.BooleanField):
    """true or false."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": _("Write true or false.")}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class IntegerField(serializers.IntegerField):
    """A whole number."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": _("Write a whole number.")}

    def to_internal_value(self, data: Any) -> int:
        number = whole(data)
        if number is None:
            self.fail("invalid")
        return number


class FloatField(serializers.FloatField):
    """A number."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": _("Write a number.")}

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        try:
            return float(data)
        except OverflowError:
            self.fail("invalid")


class DecimalField(serializers.DecimalField):
    """A decimal number in a string, so that none of its digits is lost on the way."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": _("Write a decimal number in a string, as “9.99”.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"coerce_to_string": True})

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", data):
            self.fail("invalid")
        return super().to_internal_value(data)


class _Text:
    """A JSON string; the field says of what form."""

    fail: Any

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)  # type: ignore[misc]


class EmailField(_Text, serializers.EmailField):
    """An e-mail address."""


class URLField(_Text, serializers.URLField):
    """A URL."""


class SlugField(_Text, serializers.SlugField):
    """A name of letters, digits, hyphens and underscores."""


class IPAddressField(_Text, serializers.IPAddressField):
    """An IP address."""


class DateField(serializers.DateField):
    """A day as in ISO 8601, whatever the project's settings."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": _("Write a day as in 2026-01-31.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"format": "iso-8601", "input_formats": ["iso-8601"]})


class TimeField(serializers.TimeField):
    """A time of day as in ISO 8601, whatever the project's settings. It has no offset: there is no place to keep it."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": _("Write a time of day as in 09:30:00.")}
    pattern: ClassVar[str] = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"format": "iso-8601", "input_formats": ["iso-8601"]})

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            self.fail("invalid", format="hh:mm[:ss[.uuuuuu]]")
        return super().to_internal_value(value)


class UUIDField(serializers.UUIDField):
    """A UUID in its usual form."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": _("Write a UUID as in 0193b3f0-0000-7000-8000-000000000000."),
    }

    def to_internal_value(self, data: Any) -> UUID:
        try:
            value = UUID(data) if isinstance(data, str) else None
        except ValueError:
            value = None
        if value is None or str(value) != data.lower():  # UUID() takes braces and leaves out hyphens
            self.fail("invalid", value=data)
        return value


class ChoiceField(serializers.ChoiceField):
    """One of the choices, of its own type."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid_choice": _("Write one of {choices}.")}

    def to_internal_value(self, data: Any) -> Any:
        choices = [*self.choices, *([""] if self.allow_blank else [])]
        if not any(choice == data and type(choice) is type(data) for choice in choices):
            self.fail("invalid_choice", choices=", ".join(str(choice) or "“”" for choice in choices))
        return data


class OtherField(serializers.ModelField):
    """The value of a model field that REST framework does not know; the model field itself judges it."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": _("The value is not valid.")}

    def to_internal_value(self, data: Any) -> Any:
        try:
            return super().to_internal_value(data)
        except (TypeError, ValueError, OverflowError, AttributeError):
            self.fail("invalid")


class StrictModelSerializer(serializers.ModelSerializer[Any]):
    """A serializer of a model whose every field is strict, and whose defaults are those of the model's fields."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.AutoField: IntegerField,
        models.BooleanField: BooleanField,
        models.CharField: TextField,
        models.DateField: DateField,
        models.DateTimeField: MomentField,
        models.DecimalField: DecimalField,
        models.DurationField: DurationField,
        models.EmailField: EmailField,
        models.Field: OtherField,
        models.FloatField: FloatField,
        models.GenericIPAddressField: IPAddressField,
        models.IntegerField: IntegerField,
        models.PositiveIntegerField: IntegerField,
        models.PositiveSmallIntegerField: IntegerField,
        models.SlugField: SlugField,
        models.SmallIntegerField: IntegerField,
        models.BigAutoField: IntegerField,
        models.BigIntegerField: IntegerField,
        models.TextField: TextField,
        models.TimeField: TimeField,
        models.URLField: URLField,
        models.UUIDField: UUIDField,
    }
    serializer_choice_field = ChoiceField
    serializer_related_field = ReferenceField
    serializer_related_to_field = ValueReferenceField

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        field_class, options = super().build_standard_field(field_name, model_field)
        if issubclass(field_class, serializers.CharField):
            options["trim_whitespace"] = False  # what is longer than allowed is not made to fit
        if issubclass(field_class, IntegerField) and "read_only" not in options:
            least, most = ClassLookupDict(BOUNDS)[model_field]
            options["min_value"] = max(least, _limit(options.get("min_value", least)))
            options["max_value"] = min(most, _limit(options.get("max_value", most)))
        return field_class, self._with_default(options, model_field)

    def build_relational_field(self, field_name: str, relation_info: Any) -> Any:
        field_class, options = super().build_relational_field(field_name, relation_info)
        if issubclass(relation_info.related_model, get_user_model()):
            field_class = PersonField
        if relation_info.to_many:
            if options.get("required") is False:
                del options["required"]
                options["default"] = list
            return field_class, options
        return field_class, self._with_default(options, relation_info.model_field)

    @staticmethod
    def _with_default(options: dict[str, Any], model_field: Any) -> dict[str, Any]:
        """What is left out has the model's default, also when a row is replaced."""
        if options.get("required") is not False:
            return options
        if model_field.has_default():
            default = model_field.default
        elif model_field.null:
            default = None
        elif model_field.empty_strings_allowed and not model_field.has_db_default():
            default = ""
        else:
            return options
        del options["required"]
        return options | {"default": default}


def _limit(limit: Any) -> Any:
    """The limit of a validator, which may be computed."""
    return limit() if callable(limit) else limit
