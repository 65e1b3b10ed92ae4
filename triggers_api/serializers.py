"""The JSON of the API: what it takes to fire an event, and how occurrences and runs are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar, Final

from django.db import models
from django.utils.dateparse import parse_datetime, parse_duration
from django.utils.duration import duration_iso_string
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from triggers import clock
from triggers.audiences import user_key
from triggers.context import decode
from triggers.exceptions import UserInvalid
from triggers.models import AudienceChunk, Occurrence, Run, Step

#: No more than become runs at once, so that the answer to a firing can tell of every one of them.
MAX_USERS: Final = AudienceChunk.SIZE
#: In place of what needs the permission ``triggers.view_context``.
HIDDEN: Final = "hidden: needs the permission triggers.view_context"
#: How many of its runs are told with an occurrence.
MAX_RUNS: Final = 100


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


class StrictSerializer(serializers.Serializer[Any]):
    """Input in which a field that is not known is an error."""

    def to_internal_value(self, data: Mapping[str, Any]) -> Any:
        errors: dict[str, Any] = {}
        values = None
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = dict(error.detail)  # type: ignore[arg-type]
        detail = ErrorDetail(f"There is no such field; there are {', '.join(self.fields)}.", "unknown_field")
        errors |= {name: [detail] for name in data if name not in self.fields}
        if errors:
            raise serializers.ValidationError(errors)
        return values


class FireSerializer(StrictSerializer):
    """The body of ``fire/``: the arguments of :func:`triggers.fire`, which judges what is more than form."""

    type = TextField(trim_whitespace=False)
    users = serializers.ListField(child=UserField(), allow_empty=False, max_length=MAX_USERS)
    context = serializers.JSONField(default=dict)  # type: ignore[assignment]  # a field takes the property's place
    occurred_at = MomentField(required=False)
    delay = DurationField(required=False)


class RecordSerializer(serializers.ModelSerializer[Any]):
    """What is told of a record, in forms that the project's settings do not change."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.DateTimeField: MomentField,
        models.DurationField: DurationField,
    }


class StepSerializer(RecordSerializer):
    class Meta:
        model = Step
        fields = (
            "position",
            "type",
            "status",
            "attempts",
            "started_at",
            "ended_at",
            "detail",
            "error_type",
            "error_message",
        )
        read_only_fields = fields


class RunSerializer(RecordSerializer):
    """A run that explains itself. What its errors say is left out unless the reader ``may_see_context``."""

    user = UserField(source="user_id")
    steps = StepSerializer(many=True)

    class Meta:
        model = Run
        fields = (
            "id",
            "occurrence",
            "event",
            "trigger",
            "trigger_name",
            "user",
            "status",
            "code",
            "detail",
            "decision",
            "created_at",
            "started_at",
            "ended_at",
            "due_at",
            "steps",
        )
        read_only_fields = fields

    def to_representation(self, run: Run) -> dict[str, Any]:
        answer: dict[str, Any] = super().to_representation(run)
        if not self.context["may_see_context"]:
            for step in answer["steps"]:
                step["error_message"] = step["error_message"] and HIDDEN
        return answer


class RunSummarySerializer(RecordSerializer):
    """A run among those of its occurrence."""

    user = UserField(source="user_id")

    class Meta:
        model = Run
        fields = ("id", "user", "trigger", "status", "code", "detail")
        read_only_fields = fields


class OccurrenceSerializer(RecordSerializer):
    """
    An occurrence with the first of its runs, and how many runs there are. The context is null unless the reader
    ``may_see_context``.
    """

    class Meta:
        model = Occurrence
        fields = (
            "id",
            "type",
            "occurred_at",
            "recorded_at",
            "delay",
            "context",
            "matches",
            "unknown_users",
            "code",
            "detail",
        )
        read_only_fields = fields

    def to_representation(self, occurrence: Occurrence) -> dict[str, Any]:
        runs = Run.objects.using(clock.alias()).filter(occurrence=occurrence).order_by("pk")
        shown = list(runs[:MAX_RUNS])
        return super().to_representation(occurrence) | {
            "context": _plain(occurrence.context) if self.context["may_see_context"] else None,
            "runs_count": len(shown) if len(shown) < MAX_RUNS else runs.count(),
            "runs": RunSummarySerializer(shown, many=True).data,
        }


def _plain(context: Any) -> Any:
    return json.loads(json.dumps(decode(context), default=_text))


def _text(value: Any) -> str:
    """What a context may hold beside JSON: Python's callers may pass moments, UUIDs and decimals."""
    return value.isoformat() if isinstance(value, date | time) else str(value)
