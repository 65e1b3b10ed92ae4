"""The values of the API: what is accepted as each, in bodies and queries, and the form in which it is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, ClassVar
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime, parse_duration
from django.utils.duration import duration_iso_string
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from triggers import clock
from triggers.exceptions import UnknownEventType, UserInvalid
from triggers.kinds import EventKind
from triggers.loading import rows
from triggers.registry import component_types, event_kind, label
from triggers_api import people
from triggers_api.errors import MAX_ERRORS


def whole(data: Any) -> int | None:
    """The whole number that it is in JSON, where 1.0 is one too; None if it is none."""
    if isinstance(data, bool):
        return None
    if isinstance(data, float) and data.is_integer():
        return int(data)
    return data if isinstance(data, int) else None


def natural(text: str) -> int | None:
    """The number of at most 19 digits that it is. int() takes more than digits, and refuses thousands of them."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


class ListField(serializers.ListField):
    """A list. One that is too long is refused before anybody looks at what is in it."""

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


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
        "too_long": _("The duration is longer than 292,000 years."),
    }
    #: What every database can hold.
    longest: ClassVar[timedelta] = timedelta(microseconds=2**63 - 1)

    def to_internal_value(self, value: Any) -> timedelta:
        try:
            duration = parse_duration(value) if isinstance(value, str) and "P" in value else None
        except OverflowError:
            self.fail("too_long")
        if duration is None:
            self.fail("invalid")
        if abs(duration) > self.longest:
            self.fail("too_long")
        return duration

    def to_representation(self, value: timedelta) -> str:
        return duration_iso_string(value)


class UserField(serializers.Field[Any, Any, str, Any]):
    """
    A user, named in a JSON string as :mod:`triggers_api.people` says; an integer is accepted for a primary key.

    To tell of users by their keys, it needs their ``names`` in the context of its serializer.
    """

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": _("Name a user by a string or an integer.")}

    def to_internal_value(self, data: Any) -> Any:
        name = data if isinstance(data, str) else whole(data)
        if name is None:
            self.fail("invalid")
        try:
            return people.value(name)
        except UserInvalid as error:
            raise serializers.ValidationError(str(error), error.code) from None

    def to_representation(self, value: Any) -> str:
        name: str = self.context["names"](value)
        return name


class ContextField(serializers.JSONField):
    """An object; what may be in it is judged by whoever fires."""


class IdField(serializers.Field[int, Any, int, Any]):
    """The id of a configured row in a body: a JSON integer."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": _("Write an id as an integer.")}

    def to_internal_value(self, data: Any) -> int:
        id = whole(data)
        if id is None or not 0 <= id < 2**63:
            self.fail("invalid")
        return id

    def to_representation(self, value: int) -> int:
        return value


class NumberField(serializers.Field[int, str, int, Any]):
    """A whole number in a query, between bounds."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": _("Write a whole number from {least} to {most}."),
    }

    def __init__(self, *, least: int = 0, most: int = 2**63 - 1, **options: Any) -> None:
        super().__init__(**options)
        self.bounds = least, most

    def to_internal_value(self, data: str) -> int:
        number = natural(data)
        least, most = self.bounds
        if number is None or not least <= number <= most:
            self.fail("invalid", least=least, most=most)
        return number


class FlagField(serializers.Field[bool, str, bool, Any]):
    """Yes or no in a query."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid_choice": _("Write true or false.")}

    def to_internal_value(self, data: str) -> bool:
        if data not in ("true", "false"):
            self.fail("invalid_choice")
        return data == "true"


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


class ComponentTypeField(serializers.Field[Any, str, str, Any]):
    """A type of components of one of the kinds, in a query."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "type_unknown": _("No component of the type “{type}” is installed."),
    }

    def __init__(self, *kinds: Any, **options: Any) -> None:
        super().__init__(**options)
        self.kinds = kinds

    def to_internal_value(self, data: str) -> Any:
        models = [model for kind in self.kinds for model in component_types(kind)]
        found = [model for model in models if label(model) == data]
        if not found:
            self.fail("type_unknown", type=data)
        return found[0]

    def triggers_with(self, model: Any) -> QuerySet[Any, Any]:
        """The ids of the triggers that have such a component."""
        kind = next(kind for kind in self.kinds if issubclass(model, kind))
        type_ = ContentType.objects.get_for_model(model, for_concrete_model=False)
        return rows(kind, clock.alias()).filter(polymorphic_ctype=type_).values("trigger")


class EventTypeField(serializers.Field[EventKind, str, str, Any]):
    """What can be fired, in a query: a class of events, or those of them that one name is about."""

    default_error_messages: ClassVar[dict[str, Any]] = ComponentTypeField.default_error_messages

    def to_internal_value(self, data: str) -> EventKind:
        try:
            return event_kind(data)
        except UnknownEventType:
            self.fail("type_unknown", type=data)

    def triggers_with(self, kind: EventKind) -> QuerySet[Any, Any]:
        """The ids of the triggers that have such an event."""
        type_ = ContentType.objects.get_for_model(kind.model, for_concrete_model=False)
        events = rows(kind.model, clock.alias()).filter(polymorphic_ctype=type_, **kind.where)
        return events.values("trigger")


class Strict:
    """For serializers: a field that is not known is an error, and so is one that cannot be set and differs."""

    #: What a value of the input is called.
    part: ClassVar[str] = "field"
    fields: Any
    instance: Any

    def to_internal_value(self, data: Any) -> Any:
        errors: dict[str, Any] = {}
        values = None
        try:
            values = super().to_internal_value(data)  # type: ignore[misc]
        except serializers.ValidationError as error:
            errors = dict(error.detail)  # type: ignore[arg-type]
        if isinstance(data, Mapping):
            errors |= self._unknown(data) | self._read_only(data)
        if errors:
            raise serializers.ValidationError(errors)
        return values

    def _unknown(self, data: Mapping[str, Any]) -> dict[str, Any]:
        names = [name for name, field in self.fields.items() if not field.read_only]
        known = f"there are {', '.join(names)}" if names else "none is taken"
        detail = ErrorDetail(f"There is no such {self.part}; {known}.", f"unknown_{self.part}")
        unknown = (name for name in data if name not in self.fields)
        return {name: [detail] for name in islice(unknown, MAX_ERRORS)}

    def _read_only(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Fields that are only told may be sent back as they were told."""
        sent = {name: self.fields[name] for name in data if name in self.fields and self.fields[name].read_only}
        detail = ErrorDetail("This field cannot be set: leave it out.", "read_only")
        return {name: [detail] for name, field in sent.items() if data[name] != self._told(field)}

    def _told(self, field: Any) -> Any:
        if self.instance is None:
            return _NOTHING
        value = field.get_attribute(self.instance)
        return value if value is None else field.to_representation(value)


_NOTHING = object()


class StrictSerializer(Strict, serializers.Serializer[Any]):
    """Input that is no row of a model."""
