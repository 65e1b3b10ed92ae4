"""How occurrences, runs and activities are told."""

from __future__ import annotations

import json
from datetime import date, time
from typing import Any, Final

from django.db import models
from rest_framework import serializers

from triggers import clock
from triggers.context import decode
from triggers.models import Activity, Occurrence, Run, Step
from triggers_api.fields import DurationField, MomentField, UserField

#: In place of what needs the permission ``triggers.view_context``.
HIDDEN: Final = "hidden: needs the permission triggers.view_context"
#: How many of its runs are told with an occurrence.
MAX_RUNS: Final = 100


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


class ListedRunSerializer(RecordSerializer):
    """A run in a list: all but its steps."""

    user = UserField(source="user_id")

    class Meta:
        model = Run
        fields: tuple[str, ...] = (
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
            "cancel_requested_at",
            "replay_of",
        )
        read_only_fields = fields


class RunSerializer(ListedRunSerializer):
    """A run that explains itself. What its errors say is left out unless the reader ``may_see_context``."""

    steps = StepSerializer(many=True)

    class Meta(ListedRunSerializer.Meta):
        fields = (*ListedRunSerializer.Meta.fields, "steps")
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


class ActivitySerializer(RecordSerializer):
    """What a trigger has done to a user so far."""

    user = UserField(source="user_id")

    class Meta:
        model = Activity
        fields = ("id", "trigger", "user", "action_count", "last_action_datetime")
        read_only_fields = fields


class ListedOccurrenceSerializer(RecordSerializer):
    """An occurrence in a list: without its context and runs, of which there may be very many."""

    class Meta:
        model = Occurrence
        fields: tuple[str, ...] = (
            "id",
            "type",
            "source",
            "occurred_at",
            "recorded_at",
            "delay",
            "matches",
            "unknown_users",
            "code",
            "detail",
        )
        read_only_fields = fields


class OccurrenceSerializer(ListedOccurrenceSerializer):
    """
    An occurrence with the first of its runs, and how many runs there are. The context is null unless the reader
    ``may_see_context``.
    """

    class Meta(ListedOccurrenceSerializer.Meta):
        fields = (*ListedOccurrenceSerializer.Meta.fields, "context")
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
