"""The ledger that limits read, to look at; deleting an entry lets the trigger act on the user anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from triggers.admin.paging import BoundedPaginator
from triggers.admin.people import name_fields
from triggers.models import Activity

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Activity]
else:
    ModelAdmin = admin.ModelAdmin


@admin.register(Activity)
class ActivityAdmin(ModelAdmin):
    list_display = ("trigger", "user", "last_action_datetime", "action_count")
    list_filter = ("trigger",)
    list_select_related = ("trigger", "user")
    fields = list_display
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [f"user__{name}__iexact" for name in name_fields()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
