"""The ledger that limits read, to look at; deleting an entry lets the trigger act on the user anew."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from triggers.admin.people import name_fields
from triggers.admin.records import ReadOnlyAdmin
from triggers.models import Activity, Run


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin):
    list_display = ("trigger", "user", "last_action_datetime", "action_count", "runs")
    list_filter = ("trigger",)
    list_select_related = ("trigger", "user")
    fields = list_display
    readonly_fields = ("runs",)

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [f"user__{name}__iexact" for name in name_fields()]

    @admin.display(description=gettext_lazy("runs"))
    def runs(self, activity: Any) -> str:
        query = {"trigger__id__exact": activity.trigger_id, "user": activity.user_id}
        return str(activity.links.to_list(Run, _("Runs for this user"), **query))
