"""What it takes to fire an event or to ask what it would do, and what is answered to the question."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from triggers import explaining
from triggers.models import AudienceChunk
from triggers_api.fields import DurationField, MomentField, StrictSerializer, TextField, UserField

#: No more than become runs at once, so that the answer to a firing can tell of every one of them.
MAX_USERS: Final = AudienceChunk.SIZE


class FireSerializer(StrictSerializer):
    """The body of ``fire/``: the arguments of :func:`triggers.fire`, which judges what is more than form."""

    type = TextField(trim_whitespace=False)
    users = serializers.ListField(child=UserField(), allow_empty=False, max_length=MAX_USERS)
    context = serializers.JSONField(default=dict)  # type: ignore[assignment]  # a field takes the property's place
    occurred_at = MomentField(required=False)
    delay = DurationField(required=False)


class ExplainSerializer(StrictSerializer):
    """The body of ``explain/``: the arguments of :func:`triggers.explaining.explain`."""

    type = TextField(trim_whitespace=False)
    users = serializers.ListField(child=UserField(), allow_empty=False, max_length=explaining.MAX_USERS)
    context = serializers.JSONField(default=dict)  # type: ignore[assignment]  # a field takes the property's place


class NothingSerializer(StrictSerializer):
    """The body of what takes none: empty, or an object without fields."""


class ReportSerializer(serializers.Serializer[Any]):
    """What one condition says of one user."""

    condition = serializers.IntegerField(source="condition.pk")
    type = serializers.CharField(source="condition._meta.label")
    name = serializers.CharField(source="condition")
    satisfied = serializers.BooleanField(source="holds")
    required = serializers.CharField()  # type: ignore[assignment]  # a field takes the attribute's place
    observed = serializers.CharField()
    detail = serializers.CharField()


class ExplanationSerializer(serializers.Serializer[Any]):
    """What one configured event would do for one user. ``due_at`` is null for what would start at once."""

    event = serializers.IntegerField(source="event_id")
    trigger = serializers.IntegerField(source="trigger_id")
    trigger_name = serializers.CharField()
    user = UserField(source="user.pk")
    would_run = serializers.BooleanField()
    code = serializers.CharField()
    detail = serializers.CharField()
    due_at = MomentField()
    conditions = ReportSerializer(source="reports", many=True)
