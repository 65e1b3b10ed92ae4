"""How occurrences, runs and activities are told."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any, Final

from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from triggers.context import plain
from triggers.models import Activity, Occurrence, Run, Step
from triggers.models.records import Awaited
from triggers.recording import MATCHED
from triggers_api.fields import ContextField, DurationField, MomentField, UserField

#: In place of what needs the permission ``triggers.view_context``.
HIDDEN: Final = "hidden: needs the permission triggers.view_context"


class RecordSerializer(serializers.ModelSerializer[Any]):
    """What is told of a record, in forms that the project's settings do not change."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.DateTimeField: MomentField,
        models.DurationField: DurationField,
    }

    def get_fields(self) -> dict[str, Any]:
        return copy.deepcopy(self._made_fields())

    @classmethod
    @cache
    def _made_fields(cls) -> dict[str, Any]:
        """Made of the model's fields once: for each answer anew it would take longer than all else that is told."""
        return super(RecordSerializer, cls()).get_fields()


class StepSerializer(RecordSerializer):
    """One action of a run: how often it was tried, when, how it ended, and what it has kept of that."""

    result: Any = ContextField(allow_null=True)

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
            "result",
            "woken_by",
            "error_type",
            "error_message",
        )
        read_only_fields = fields


class DecisionSerializer(serializers.Serializer[Any]):
    """The condition that decided, what it requires and what was observed."""

    condition = serializers.IntegerField()
    type = serializers.CharField()
    name = serializers.CharField()
    required = serializers.CharField()  # type: ignore[assignment]  # a field takes the attribute's place
    observed = serializers.CharField()


class WaitingForSerializer(serializers.Serializer[Any]):
    """The event that a run waits for, and under which keys its context must hold what."""

    type = serializers.CharField()
    context_keys = serializers.SerializerMethodField()
    since = MomentField(help_text="What was recorded from then on counts.")
    until = MomentField(help_text="When the run goes on, or stops, without the event.")
    on_timeout = serializers.ChoiceField(choices=["continue", "stop"])

    def get_context_keys(self, awaited: Awaited) -> list[str]:
        return sorted(plain(awaited.context))


class ListedRunSerializer(RecordSerializer):
    """A run in a list: all but its steps."""

    user = UserField(source="user_id")
    decision = DecisionSerializer(allow_null=True)
    waiting_for = WaitingForSerializer(allow_null=True)

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
            "waiting_for",
            "cancel_requested_at",
            "replay_of",
        )
        read_only_fields = fields


class RunSerializer(ListedRunSerializer):
    """A run with its steps. What errors say and results are hidden from those who may not see the context."""

    steps = StepSerializer(many=True)

    class Meta(ListedRunSerializer.Meta):
        fields = (*ListedRunSerializer.Meta.fields, "steps")
        read_only_fields = fields

    def to_representation(self, run: Run) -> dict[str, Any]:
        answer: dict[str, Any] = super().to_representation(run)
        may_see = self.context["may_see_context"](run.occurrence)
        for step in answer["steps"]:
            step["error_message"] = step["error_message"] if may_see else step["error_message"] and HIDDEN
            step["result"] = plain(step["result"]) if may_see else None
        return answer


class ActivitySerializer(RecordSerializer):
    """What a trigger has done to a user so far."""

    user = UserField(source="user_id")

    class Meta:
        model = Activity
        fields = ("id", "trigger", "user", "action_count", "last_action_datetime")
        read_only_fields = fields


class MatchedSerializer(serializers.Serializer[Any]):
    """A configured event that happened."""

    event = serializers.IntegerField()
    trigger = serializers.IntegerField()
    trigger_name = serializers.CharField()


class SkippedSerializer(MatchedSerializer):
    """A configured event of the type that did not happen, and why."""

    code = serializers.CharField()
    detail = serializers.CharField()


class ListedOccurrenceSerializer(RecordSerializer):
    """An occurrence in a list: without its context and runs, of which there may be very many."""

    matched = serializers.SerializerMethodField()
    skipped = serializers.SerializerMethodField()
    unknown_users = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Occurrence
        fields: tuple[str, ...] = (
            "id",
            "type",
            "event",
            "source",
            "occurred_at",
            "recorded_at",
            "delay",
            "cause",
            "depth",
            "matched",
            "skipped",
            "unknown_users",
            "code",
            "detail",
        )
        read_only_fields = fields

    @extend_schema_field(MatchedSerializer(many=True))
    def get_matched(self, occurrence: Occurrence) -> Any:
        return MatchedSerializer([note for note in occurrence.matches if note["code"] == MATCHED], many=True).data

    @extend_schema_field(SkippedSerializer(many=True))
    def get_skipped(self, occurrence: Occurrence) -> Any:
        return SkippedSerializer([note for note in occurrence.matches if note["code"] != MATCHED], many=True).data


class RunSummarySerializer(RecordSerializer):
    """A run among those of its occurrence."""

    user = UserField(source="user_id")

    class Meta:
        model = Run
        fields = ("id", "user", "trigger", "status", "code", "detail")
        read_only_fields = fields


class OccurrenceSerializer(ListedOccurrenceSerializer):
    """
    An occurrence with the first of its runs, and how many there are of each status; until it is expanded, a worker is
    still making runs for the users of an audience. The context is null for those who may not see it.
    """

    context: Any = ContextField(allow_null=True)
    is_expanded = serializers.SerializerMethodField()
    run_counts = serializers.SerializerMethodField()
    runs = serializers.SerializerMethodField()

    class Meta(ListedOccurrenceSerializer.Meta):
        fields = (*ListedOccurrenceSerializer.Meta.fields, "context", "is_expanded", "run_counts", "runs")
        read_only_fields = fields

    def to_representation(self, occurrence: Occurrence) -> dict[str, Any]:
        may_see = self.context["may_see_context"](occurrence)
        return super().to_representation(occurrence) | {"context": plain(occurrence.context) if may_see else None}

    def get_is_expanded(self, occurrence: Occurrence) -> bool:
        expanded: bool = self.context["runs"].are_all_made(occurrence)
        return expanded

    def get_run_counts(self, occurrence: Occurrence) -> dict[str, int]:
        counts: dict[str, int] = self.context["runs"].counts(occurrence)
        return counts

    @extend_schema_field(RunSummarySerializer(many=True))
    def get_runs(self, occurrence: Occurrence) -> Any:
        runs = self.context["runs"].first(occurrence)
        return RunSummarySerializer(runs, many=True, context=self.context).data
