"""What it takes to fire events or to ask what they would do, and what is answered to the question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from triggers import explaining
from triggers.exceptions import KeyInvalid
from triggers.models import AudienceChunk
from triggers.recording import MAX_KEY_LENGTH
from triggers_api import conf
from triggers_api.fields import (
    ContextField,
    DurationField,
    IdField,
    ListField,
    MomentField,
    StrictSerializer,
    TextField,
    UserField,
)
from triggers_api.serializers.records import OccurrenceSerializer
from triggers_api.strict import BooleanField

#: No more than become runs at once, so that the answer to a firing can tell of every one of them.
MAX_USERS: Final = AudienceChunk.SIZE
#: How many events one request may fire.
MAX_ITEMS: Final = 100


class HappeningSerializer(StrictSerializer):
    """What happened is named by ``type`` or ``event``, and to whom by ``user``, ``users`` or ``audience``."""

    # The arguments of triggers.fire, which judges what is more than form.

    #: Sets of fields of each of which one must be given, and at most one may be.
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = (("type", "event"), ("user", "users", "audience"))
    one_at_most: ClassVar[tuple[tuple[str, ...], ...]] = (("delay", "scheduled_at"),)

    type = TextField(trim_whitespace=False, required=False)
    event = IdField(required=False)
    user = UserField(required=False)
    users = ListField(child=UserField(), allow_empty=False, max_length=MAX_USERS, required=False)
    audience = TextField(trim_whitespace=False, required=False)
    context = ContextField(default=dict)  # type: ignore[assignment]  # a field takes the property's place
    occurred_at = MomentField(required=False)
    delay = DurationField(required=False)
    scheduled_at = MomentField(required=False)

    def to_internal_value(self, data: Any) -> Any:
        errors: dict[str, Any] = {}
        values = None
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = dict(error.detail)  # type: ignore[arg-type]
        if isinstance(data, Mapping):
            errors |= dict(self._wrong_choices(data))
        if errors:
            raise serializers.ValidationError(errors)
        return values

    def _wrong_choices(self, data: Mapping[str, Any]) -> Iterator[tuple[str, list[ErrorDetail]]]:
        """Where none of a set is given the first is missed; where several are, all but the first are too many."""
        for names in (*self.one_of, *self.one_at_most):
            given = [name for name in names if name in data]
            if not given and names in self.one_of:
                yield names[0], [ErrorDetail(f"Give one of {', '.join(names)}.", "required")]
            for name in given[1:]:
                yield name, [ErrorDetail(f"Give only one of {', '.join(names)}.", "exclusive")]


class FireSerializer(HappeningSerializer):
    """With ``create_users`` the users who do not exist are made, where the project says how."""

    create_users = BooleanField(default=False, help_text=_("Make the users who do not exist."))

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        if conf.create_users() is None:
            del fields["create_users"]
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("create_users") and "audience" in attrs:
            detail = ErrorDetail("Name those who are to be made in user or users, not by an audience.", "exclusive")
            raise serializers.ValidationError({"create_users": [detail]})
        return attrs


class KeyField(TextField):
    """A key that makes repeats of a request known."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return check_key(super().to_internal_value(data))
        except KeyInvalid as error:
            raise serializers.ValidationError(str(error), error.code) from None


def check_key(key: str) -> str:
    """The key, which is fit for a header. Raises KeyInvalid."""
    if not (key.isascii() and key.isprintable()):
        raise KeyInvalid("The key must be of printable ASCII characters.")
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        raise KeyInvalid(f"The key must be a text of 1 to {MAX_KEY_LENGTH} characters.")
    return key


class FireItemSerializer(FireSerializer):
    """One event among many, with a key of its own if it has one."""

    idempotency_key = KeyField(trim_whitespace=False, required=False)


class FireBatchSerializer(StrictSerializer):
    """Events that are fired together, or not at all."""

    items = ListField(child=FireItemSerializer(), allow_empty=False, max_length=MAX_ITEMS)


class ExplainSerializer(HappeningSerializer):
    """The event that is asked about, as it would be fired."""

    users = ListField(child=UserField(), allow_empty=False, max_length=explaining.MAX_USERS, required=False)


class NothingSerializer(StrictSerializer):
    """The body of what takes none: empty, or an object without fields."""


class ReportSerializer(serializers.Serializer[Any]):
    """What one condition says of one user, and when it will hold again if that is known (else null)."""

    condition = serializers.IntegerField(source="condition.pk")
    type = serializers.CharField(source="condition._meta.label")
    name = serializers.CharField(source="condition")
    satisfied = serializers.BooleanField(source="holds")
    required = serializers.CharField()  # type: ignore[assignment]  # a field takes the attribute's place
    observed = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()
    possible_at = MomentField(allow_null=True)


class ExplanationSerializer(serializers.Serializer[Any]):
    """What one configured event would do for one user. ``due_at`` is null for what would start at once."""

    event = serializers.IntegerField(source="event_id")
    trigger = serializers.IntegerField(source="trigger_id")
    trigger_name = serializers.CharField()
    user = UserField(source="user.pk")
    would_run = serializers.BooleanField()
    code = serializers.CharField()
    detail = serializers.CharField()
    due_at = MomentField(allow_null=True)
    conditions = ReportSerializer(source="reports", many=True)


class ExplainedSerializer(serializers.Serializer[Any]):
    """What an event would do, by configured event and user."""

    unknown_users = ListField(child=serializers.CharField())
    explanations = ExplanationSerializer(many=True)


class FiredSerializer(OccurrenceSerializer):
    """An event that was fired with others. It is ``replayed`` if its key was used before."""

    replayed = serializers.BooleanField()

    class Meta(OccurrenceSerializer.Meta):
        fields = (*OccurrenceSerializer.Meta.fields, "replayed")


class FiredBatchSerializer(serializers.Serializer[Any]):
    """What was fired, in the order in which it was sent."""

    occurrences = FiredSerializer(many=True)
