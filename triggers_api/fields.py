"""The values of the API: what is accepted as each, in bodies and queries, and the form in which it is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.utils.dateparse import parse_datetime, parse_duration
from django.utils.duration import duration_iso_string
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from triggers.audiences import user_key
from triggers.exceptions import UserInvalid


class TextField(serializers.CharField):
    """A JSON string, and nothing that could be made one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class MomentField(serializers.DateTimeField):
    """A date and time with its offset; UTC in answers."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": _("Write a date and time as in 2026-01-31T09:00:00Z."),
        "offset_missing": _("Add the offset from UTC, as in 2026-01-31T09:00:00Z."),
    }

    def to_internal_value(self, data: Any) -> datetime:
        try:
            moment = parse_datetime(data) if isinstance(data, str) else None
            if moment is not None and moment.tzinfo is None:
                self.fail("offset_missing")
            moment = moment and moment.astimezone(UTC)
        except (ValueError, OverflowError):
            moment = None
        if moment is None:
            self.fail("invalid")
        return moment

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class DurationField(serializers.DurationField):
    """A duration as in ISO 8601."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": _("Write a duration in days, hours, minutes and seconds, as in P1DT2H30M."),
    }

    def to_internal_value(self, value: Any) -> timedelta:
        try:
            duration = parse_duration(value) if isinstance(value, str) and "P" in value else None
        except OverflowError:
            duration = None
        if duration is None:
            self.fail("invalid")
        return duration

    def to_representation(self, value: timedelta) -> str:
        return duration_iso_string(value)


class UserField(serializers.Field[Any, Any, str, Any]):
    """A user, named by primary key in a JSON string; an integer is accepted."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": _("Name a user by a string or an integer.")}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, str | int):
            self.fail("invalid")
        try:
            return user_key(data)
        except UserInvalid as error:
            raise serializers.ValidationError(str(error), error.code) from None

    def to_representation(self, value: Any) -> str:
        return str(value)


class NumberField(serializers.Field[int, str, int, Any]):
    """A whole number in a query, between bounds."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": _("Write a whole number from {least} to {most}."),
    }

    def __init__(self, *, least: int = 0, most: int = 2**63 - 1, **options: Any) -> None:
        super().__init__(**options)
        self._least = least
        self._most = most

    def to_internal_value(self, data: str) -> int:
        # int() takes more than digits, and refuses thousands of them.
        number = int(data) if data.isascii() and data.isdigit() and len(data) < 20 else -1
        if not self._least <= number <= self._most:
            self.fail("invalid", least=self._least, most=self._most)
        return number


class RecordIdField(serializers.Field[UUID, str, str, Any]):
    """The id of a record in a query, as the API writes it."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": _("Write an id as in 0193b3f0-0000-7000-8000-000000000000."),
    }

    def to_internal_value(self, data: str) -> UUID:
        try:
            id = UUID(data)
        except ValueError:
            self.fail("invalid")
        if str(id) != data.lower():  # UUID() takes braces and leaves out hyphens
            self.fail("invalid")
        return id


class StrictSerializer(serializers.Serializer[Any]):
    """Input in which a field that is not known is an error."""

    #: What a value of the input is called.
    part: ClassVar[str] = "field"

    def to_internal_value(self, data: Mapping[str, Any]) -> Any:
        errors: dict[str, Any] = {}
        values = None
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = dict(error.detail)  # type: ignore[arg-type]
        known = f"there are {', '.join(self.fields)}" if self.fields else "none is taken"
        detail = ErrorDetail(f"There is no such {self.part}; {known}.", f"unknown_{self.part}")
        errors |= {name: [detail] for name in data if name not in self.fields}
        if errors:
            raise serializers.ValidationError(errors)
        return values
