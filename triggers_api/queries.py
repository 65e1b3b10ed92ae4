"""What the lists of the API take in their queries: filters, and which page."""

from __future__ import annotations

from typing import Any, Self, TypeVar

from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from triggers.models import Run
from triggers_api import conf
from triggers_api.errors import QueryInvalid
from triggers_api.fields import MomentField, NumberField, RecordIdField, StrictSerializer, TextField, UserField

Row = TypeVar("Row", bound=Model)


class Query(StrictSerializer):
    """
    The filters of a list and its page. Rows come newest first.

    The cursor is the id of the last row of the page before: rows that are added or deleted meanwhile move no other
    row from one page to another.
    """

    part = "parameter"

    #: Declared by each list: the id of its rows.
    cursor: Any
    limit = NumberField(least=1, most=conf.MAX_PAGE_SIZE, default=conf.page_size)

    @classmethod
    def read(cls, request: Request) -> Self:
        """The query of the request. Raises QueryInvalid for what the list does not take."""
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

    def page(self, rows: QuerySet[Row]) -> tuple[list[Row], bool]:
        """The rows of this page, and whether there are more after them."""
        filters = dict(self.validated_data)
        limit, cursor = filters.pop("limit"), filters.pop("cursor", None)
        if cursor is not None:
            filters["pk__lt"] = cursor
        found = list(rows.filter(**filters).order_by("-pk")[: limit + 1])
        return found[:limit], len(found) > limit


class RunQuery(Query):
    """Times are those at which runs were made: at ``created_after`` or later, and before ``created_before``."""

    trigger = NumberField(source="trigger_id", required=False)
    user = UserField(source="user_id", required=False)
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
    """Which trigger, which user."""

    trigger = NumberField(source="trigger_id", required=False)
    user = UserField(source="user_id", required=False)
    cursor = NumberField(required=False)
