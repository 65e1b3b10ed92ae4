"""The ledger that limits read, to look at and to begin anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from triggers import running
from triggers.admin.narrative import moment
from triggers.admin.people import name_fields
from triggers.admin.records import ReadOnlyAdmin
from triggers.models import Activity, Run

#: How many entries of a selection are reset at most, so that the answer comes in time.
MAX_ENTRIES: Final = 500


@admin.register(Activity)
class ActivityAdmin(ReadOnlyAdmin):
    """Entries can be reset by those who have the permission ``triggers.reset_activity``; that is to be confirmed."""

    list_display = ("trigger", "user", "last_action_datetime", "action_count", "runs")
    list_filter = ("trigger",)
    list_select_related = ("trigger", "user")
    fields = (*list_display, "reset_at")
    readonly_fields = ("runs", "reset_at")
    actions = ("reset",)

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [f"user__{name}__iexact" for name in name_fields()]

    @admin.display(description=gettext_lazy("runs"))
    def runs(self, activity: Any) -> str:
        query = {"trigger__id__exact": activity.trigger_id, "user": activity.user_id}
        return str(activity.links.to_list(Run, _("Runs for this user"), **query))

    def has_reset_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("triggers.reset_activity")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.reset_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_reset"
        return [path("<path:object_id>/reset/", view, name=name), *super().get_urls()]

    def reset_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask whether the entry is to be reset, and do so once that is confirmed."""
        activity = self.get_object(request, unquote(object_id))
        if not (self.has_view_permission(request, activity) and self.has_reset_permission(request)):
            raise PermissionDenied
        if activity is None:
            raise Http404
        if "confirm" not in request.POST:
            return self._confirmation(request, [activity])
        self._reset(request, [activity])
        url_name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(url_name, args=[object_id]))

    @admin.action(description=gettext_lazy("Reset…"), permissions=["reset"])
    def reset(self, request: HttpRequest, queryset: QuerySet[Activity]) -> HttpResponse | None:
        activities = list(queryset.select_related("trigger", "user")[: MAX_ENTRIES + 1])
        if len(activities) > MAX_ENTRIES:
            message = _("Nothing was done: select at most %(limit)s entries at a time.") % {"limit": MAX_ENTRIES}
            self.message_user(request, message, messages.ERROR)
            return None
        if "confirm" not in request.POST:
            return self._confirmation(request, activities, is_selection=True)
        self._reset(request, activities)
        return None

    def _confirmation(
        self, request: HttpRequest, activities: Sequence[Activity], *, is_selection: bool = False
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        title = ngettext("Reset this entry?", "Reset these %(count)d entries?", len(activities))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title % {"count": len(activities)},
            "activities": activities,
            "is_selection": is_selection,
            "checkbox_name": ACTION_CHECKBOX_NAME,
            "media": self.media,
        }
        return TemplateResponse(request, "admin/triggers/activity/reset_confirmation.html", context)

    def _reset(self, request: HttpRequest, activities: Sequence[Activity]) -> None:
        """What an entry said before is in its history."""
        for activity in activities:
            running.reset_activity(activity.pk)
            self.log_change(request, activity, _was(activity))
        message = ngettext("%d entry was reset.", "%d entries were reset.", len(activities)) % len(activities)
        self.message_user(request, message, messages.SUCCESS)


def _was(activity: Activity) -> str:
    if activity.last_action_datetime is None:
        return _("Reset.")
    return _("Reset. Before: %(count)d times, the last on %(moment)s.") % {
        "count": activity.action_count,
        "moment": moment(activity.last_action_datetime),
    }
