"""What the lists of the API take in their queries: filters, and which page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, Self, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from triggers.ids import first_uuid7
from triggers.models import Action, Condition, Event, Run, Trigger
from triggers_api import conf, people
from triggers_api.errors import QueryInvalid
from triggers_api.fields import (
    ComponentTypeField,
    EventTypeField,
    FlagField,
    MomentField,
    NumberField,
    RecordIdField,
    StrictSerializer,
    TextField,
    UserField,
    natural,
)

#: How long before it is written a record may have got its id.
MARGIN: Final = timedelta(hours=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Row = TypeVar("Row", bound=Model)


class Parameters(StrictSerializer):
    """What a query may say; nothing, unless a subclass has fields."""

    part = "parameter"

    @classmethod
    def read(cls, request: Request) -> Self:
        """The query of the request. Raises QueryInvalid for what is not taken."""
        given = dict(request.query_params.lists())
        query = cls(data={name: values[-1] for name, values in given.items()})
        errors: dict[str, Any] = {} if query.is_valid() else dict(query.errors)
        for name, values in given.items():
            if len(values) > 1:
                errors[name] = [ErrorDetail(f"Give the parameter once, not {len(values)} times.", "repeated")]
            elif "\x00" in f"{name}{values[0]}":
                errors[name] = [ErrorDetail("The text holds the character U+0000.", "text_invalid")]
        if errors:
            raise QueryInvalid(errors)
        return query


class Query(Parameters):
    """
    The filters of a list and its page. Rows come newest first.

    The cursor is the id of the last row of the page before: rows that are added or deleted meanwhile move no other
    row from one page to another.
    """

    #: Declared by each list: the id of its rows.
    cursor: Any
    limit = NumberField(least=1, most=conf.MAX_PAGE_SIZE, default=conf.page_size)

    def cursor_of(self, row: Any) -> str:
        """The cursor of the page that comes after the row."""
        return str(row.pk)

    def page(self, rows: QuerySet[Row]) -> tuple[list[Row], bool]:
        """The rows of this page, and whether there are more after them."""
        filters = dict(self.validated_data)
        limit, cursor = filters.pop("limit"), filters.pop("cursor", None)
        if "user" in filters:
            rows = rows.filter(**people.chosen(filters.pop("user")))
        if cursor is not None:
            rows = rows.filter(pk__lt=cursor)
        found = list(rows.filter(**filters, **self.window(filters)).order_by("-pk")[: limit + 1])
        return found[:limit], len(found) > limit

    def window(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        """
        The window of time among the filters as one of ids, which are made in the order of time: an index finds those.

        It is a little wider, since a record has its id some time before it is written.
        """
        window = {}
        for name, moment in filters.items():
            if name.endswith("_at__gte"):
                window["pk__gte"] = _id_at(moment, -MARGIN)
            elif name.endswith("_at__lt"):
                window["pk__lt"] = _id_at(moment, MARGIN)
        return window


class RunQuery(Query):
    """Times are those at which runs were made: at ``created_after`` or later, and before ``created_before``."""

    trigger = NumberField(source="trigger_id", required=False)
    user = UserField(required=False)
    status = serializers.ChoiceField(
        choices=Run.Status.choices,
        required=False,
        error_messages={"invalid_choice": _("Write one of %s.") % ", ".join(Run.Status.values)},
    )
    code = TextField(trim_whitespace=False, required=False)
    type = TextField(source="occurrence__type", trim_whitespace=False, required=False)
    occurrence = RecordIdField(source="occurrence_id", required=False)
    created_after = MomentField(source="created_at__gte", required=False)
    created_before = MomentField(source="created_at__lt", required=False)
    cursor = RecordIdField(required=False)


class OccurrenceQuery(Query):
    """Times are those of the record: at ``recorded_after`` or later, and before ``recorded_before``."""

    type = TextField(trim_whitespace=False, required=False)
    source = TextField(trim_whitespace=False, required=False)  # type: ignore[assignment]  # a field takes its place
    recorded_after = MomentField(source="recorded_at__gte", required=False)
    recorded_before = MomentField(source="recorded_at__lt", required=False)
    cursor = RecordIdField(required=False)


class ActivityQuery(Query):
    """The ledger of one trigger, or of one user."""

    trigger = NumberField(source="trigger_id", required=False)
    user = UserField(required=False)
    cursor = NumberField(required=False)


class TriggerQuery(Query):
    """
    ``search`` looks in names and descriptions. Names are unique and so, like ids, an order that pages can be cut
    from; the cursor says which of the two it was made for.
    """

    search = TextField(trim_whitespace=False, required=False, max_length=200)
    enabled = FlagField(required=False)
    component_type = ComponentTypeField(Event, Condition, Action, required=False)
    event_type = EventTypeField(required=False)
    order = serializers.ChoiceField(
        choices=["id", "-id", "name", "-name"],
        default="-id",
        error_messages={"invalid_choice": _("Write one of id, -id, name, -name.")},
    )
    cursor = TextField(trim_whitespace=False, required=False)

    default_error_messages: ClassVar[dict[str, Any]] = {
        "cursor_invalid": _("This is no cursor of a page before, in the order “{order}”.")
    }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        order = attrs["order"]
        if "cursor" in attrs:
            made_for, _colon, last = attrs["cursor"].partition(":")
            if made_for != order or not last or not (order.endswith("name") or natural(last) is not None):
                message = self.error_messages["cursor_invalid"].format(order=order)
                raise serializers.ValidationError({"cursor": [ErrorDetail(message, "invalid")]})
            attrs["cursor"] = last
        return attrs

    def cursor_of(self, row: Trigger) -> str:
        order = self.validated_data["order"]
        return f"{order}:{row.name if order.endswith('name') else row.pk}"

    def page(self, rows: QuerySet[Row]) -> tuple[list[Row], bool]:
        query = self.validated_data
        if "search" in query:
            text = query["search"]
            rows = rows.filter(Q(name__icontains=text) | Q(description__icontains=text))
        if "enabled" in query:
            rows = rows.filter(is_enabled=query["enabled"])
        for name in ("component_type", "event_type"):
            if name in query:
                rows = rows.filter(pk__in=self.fields[name].triggers_with(query[name]))
        order = query["order"]
        if "cursor" in query:
            beyond = "lt" if order.startswith("-") else "gt"
            rows = rows.filter(**{f"{order.removeprefix('-')}__{beyond}": query["cursor"]})
        found = list(rows.order_by(order)[: query["limit"] + 1])
        return found[: query["limit"]], len(found) > query["limit"]


def _id_at(moment: datetime, shift: timedelta) -> UUID:
    """The first id of that moment, shifted as far as ids and dates go."""
    try:
        return first_uuid7(max(moment + shift, _EPOCH))
    except OverflowError:
        return first_uuid7(max(moment, _EPOCH))


class ComponentTypeQuery(Parameters):
    """Types of one kind."""

    kind = serializers.ChoiceField(
        choices=["event", "condition", "action"],
        required=False,
        error_messages={"invalid_choice": _("Write event, condition or action.")},
    )


class ConfigurationQuery(Parameters):
    """With ``plan`` nothing is changed; with ``prune`` what the sections of the body do not name is deleted."""

    plan = FlagField(default=False)
    prune = FlagField(default=False)


class CreatingQuery(Parameters):
    """With ``create_users`` the subjects who do not exist are made."""

    create_users = FlagField(default=False)

    def get_fields(self) -> dict[str, Any]:
        return super().get_fields() if conf.create_users() else {}


class FormatQuery(Parameters):
    """The format of what is answered."""

    format = serializers.ChoiceField(choices=["json", "yaml"], required=False)
