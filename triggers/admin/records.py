"""What the pages of records have in common: there may be millions, they lead to each other, and none is edited."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from triggers.admin import narrative
from triggers.admin.links import Links
from triggers.admin.paging import BoundedPaginator
from triggers.models import Run

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


class WhenFilter(admin.SimpleListFilter):
    """Records by their age. Ids begin with the time, so that the primary key's index finds them."""

    title = gettext_lazy("date")
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("hour", _("Past hour")),
            ("today", _("Today")),
            ("week", _("Past 7 days")),
            ("month", _("Past 30 days")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = timezone.now()
        midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
        begin = {
            "hour": now - timedelta(hours=1),
            "today": midnight,
            "week": midnight - timedelta(days=7),
            "month": midnight - timedelta(days=30),
        }.get(self.value() or "")
        return queryset.filter(pk__gte=_first_id(begin)) if begin else queryset


class RecordList(ChangeList):
    """A page of records; each knows the links that its reader may follow."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        records: list[Any] = list(self.result_list)
        for record in records:
            record.links = Links(self.model_admin.admin_site, request)
        self.result_list = records


class ReadOnlyAdmin(ModelAdmin):
    """A long list, and pages on which nothing is edited or deleted."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css: ClassVar = {"all": ("triggers/admin.css",)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RecordList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        record = super().get_object(request, object_id, from_field)
        if record is not None:
            record.links = Links(self.admin_site, request)
        return record

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not on these pages. Elsewhere it is asked whether a user may be deleted together with their records."""
        match = request.resolver_match
        own = f"{self.opts.app_label}_{self.opts.model_name}_"
        is_here = match is not None and (match.url_name or "").startswith(own)
        return not is_here and super().has_delete_permission(request, obj)


class RecordAdmin(ReadOnlyAdmin):
    """The latest record comes first."""

    list_display_links = ("when",)
    sortable_by = ("when",)
    ordering = ("-id",)


def link_to_run(record: Any, run: Run | None) -> str:
    """A link from the record to the run, which may be gone."""
    if run is None:
        return _("a run that is not kept any more")
    return str(record.links.to_page(Run, run.pk, str(run)))


def when_in_list(value: datetime) -> str:
    """The time to the second, its day not broken into lines."""
    day, _space, time = narrative.moment(value).rpartition(" ")
    return format_html('<span class="triggers-unbroken">{}</span> {}', day, time)


def context_in_words(context: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The context as names and values."""
    return [(name, _value_in_words(value)) for name, value in context.items()]


def _value_in_words(value: Any) -> str:
    if isinstance(value, datetime) and timezone.is_aware(value):
        return narrative.moment(value)
    if isinstance(value, dict | list | bool | None):
        return json.dumps(value, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)
    return str(value)


def _first_id(moment: datetime) -> UUID:
    """The least id of a record made at the moment or later."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
