"""What did happen: every run says in words what became of it and why. Nothing here can be changed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from triggers import clock, engines
from triggers.admin import narrative
from triggers.admin.paging import BoundedPaginator
from triggers.admin.people import called
from triggers.context import decode
from triggers.loading import rows
from triggers.models import Occurrence, Run, Trigger

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Run]
else:
    ModelAdmin = admin.ModelAdmin


class WhenFilter(admin.SimpleListFilter):
    """Runs by their age. Ids begin with the time, so that the primary key's index finds them."""

    title = gettext_lazy("date")
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("hour", _("Past hour")),
            ("today", _("Today")),
            ("week", _("Past 7 days")),
            ("month", _("Past 30 days")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        now = timezone.now()
        midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
        begin = {
            "hour": now - timedelta(hours=1),
            "today": midnight,
            "week": midnight - timedelta(days=7),
            "month": midnight - timedelta(days=30),
        }.get(self.value() or "")
        return queryset.filter(pk__gte=_first_id(begin)) if begin else queryset


class CodeFilter(admin.SimpleListFilter):
    """Runs by the code of their reason. The codes are those there may be: looking which there are reads all runs."""

    title = gettext_lazy("reason")
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, str(capfirst(narrative.reason_for_code(code)))) for code in narrative.known_codes()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        return queryset.filter(code=self.value()) if self.value() else queryset


class EngineFilter(admin.SimpleListFilter):
    title = gettext_lazy("engine")
    parameter_name = "engine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in engines.names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        return queryset.filter(engine=self.value()) if self.value() else queryset


@admin.register(Run)
class RunAdmin(ModelAdmin):
    list_display = ("when", "of_trigger", "event_type", "of_user", "state", "reason", "steps_done")
    list_display_links = ("when",)
    list_filter = (WhenFilter, "status", CodeFilter, "trigger", EngineFilter)
    ordering = ("-id",)
    sortable_by = ("when",)
    search_fields = ("id",)
    search_help_text = gettext_lazy(
        "A run’s id, a person’s whole user name or e-mail address, or part of a trigger’s name."
    )
    fields = ("of_trigger", "event_type", "of_user", "recorded", "due", "started", "ended", "engine", "id", "others")
    readonly_fields = fields
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css: ClassVar = {"all": ("triggers/admin.css",)}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without the times that are not yet, or no longer, there."""
        return [name for name in self.fields if getattr(obj, f"{name}_at", True) is not None]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not on these pages. Elsewhere it is asked whether a user may be deleted together with their runs."""
        match = request.resolver_match
        is_here = match is not None and (match.url_name or "").startswith("triggers_run_")
        return not is_here and super().has_delete_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        # Users and triggers may be gone: a join would leave out their runs.
        return (
            super()
            .get_queryset(request)
            .select_related("occurrence")
            .defer("occurrence__context", "occurrence__matches", "occurrence__unknown_users")
            .prefetch_related("user", Prefetch("trigger", rows(Trigger, clock.alias())))
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Run], search_term: str
    ) -> tuple[QuerySet[Run], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            pass
        # By ids, which have indexes; a name that no trigger has today may be one of the past.
        user_ids = list(called(term).values_list("pk", flat=True))
        named = rows(Trigger, clock.alias()).filter(name__icontains=term)
        trigger_ids = list(named.values_list("pk", flat=True))
        if user_ids or trigger_ids:
            return queryset.filter(Q(user__in=user_ids) | Q(trigger__in=trigger_ids)), False
        return queryset.filter(trigger_name__icontains=term), False

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        steps = list(obj.steps.prefetch_related("action"))
        may_see_details = request.user.has_perm("triggers.view_context")
        context |= {
            "run": obj,
            "story": narrative.story(obj, steps),
            "steps": [narrative.StepLine(step) for step in steps],
            "may_see_details": may_see_details,
            "occurred": narrative.moment(obj.occurrence.occurred_at),
            "happened": _with_label(obj.occurrence.type),
            "event_context": _readable(obj.occurrence) if may_see_details else [],
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    @admin.display(description=gettext_lazy("when"), ordering="id")
    def when(self, run: Run) -> str:
        day, _space, time = narrative.moment(run.created_at).rpartition(" ")
        return format_html('<span class="triggers-unbroken">{}</span> {}', day, time)

    @admin.display(description=gettext_lazy("trigger"))
    def of_trigger(self, run: Run) -> str:
        if narrative.existing(run, "trigger") is None:
            return _("%(name)s (deleted)") % {"name": run.trigger_name}
        return self._link(Trigger, run.trigger_id, run.trigger_name)

    @admin.display(description=gettext_lazy("event"))
    def event_type(self, run: Run) -> str:
        return str(capfirst(narrative.type_in_words(run.occurrence.type)))

    @admin.display(description=gettext_lazy("user"))
    def of_user(self, run: Run) -> str:
        user = narrative.existing(run, "user")
        if user is None:
            return _("user %(key)s (deleted)") % {"key": run.user_id}
        return self._link(get_user_model(), run.user_id, str(user))

    @admin.display(description=gettext_lazy("status"))
    def state(self, run: Run) -> str:
        return format_html('<span class="triggers-status triggers-{}">{}</span>', run.status, run.get_status_display())

    @admin.display(description=gettext_lazy("reason"))
    def reason(self, run: Run) -> str:
        return narrative.short_reason(run)

    @admin.display(description=gettext_lazy("actions done"))
    def steps_done(self, run: Run) -> str:
        if run.steps_succeeded == run.position:
            return str(run.steps_succeeded)
        return _("%(done)d of %(tried)d") % {"done": run.steps_succeeded, "tried": run.position}

    @admin.display(description=gettext_lazy("recorded"))
    def recorded(self, run: Run) -> str:
        return narrative.moment(run.created_at)

    @admin.display(description=gettext_lazy("goes on"))
    def due(self, run: Run) -> str:
        return narrative.moment(run.due_at)

    @admin.display(description=gettext_lazy("started"))
    def started(self, run: Run) -> str:
        return narrative.moment(run.started_at)

    @admin.display(description=gettext_lazy("ended"))
    def ended(self, run: Run) -> str:
        return narrative.moment(run.ended_at)

    @admin.display(description=gettext_lazy("same event"))
    def others(self, run: Run) -> str:
        url = reverse(f"{self.admin_site.name}:triggers_run_changelist")
        return format_html('<a href="{}?occurrence={}">{}</a>', url, run.occurrence_id, _("All runs of this event"))

    def _link(self, model: Any, pk: Any, text: str) -> str:
        name = f"{self.admin_site.name}:{model._meta.app_label}_{model._meta.model_name}_change"
        try:
            return format_html('<a href="{}">{}</a>', reverse(name, args=[pk]), text)
        except NoReverseMatch:  # the project's admin does not show it
            return text


def _first_id(moment: datetime) -> UUID:
    """The least id of a record made at the moment or later."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _with_label(type_: str) -> str:
    return f"{capfirst(narrative.type_in_words(type_))} ({type_})"


def _readable(occurrence: Occurrence) -> list[tuple[str, str]]:
    """The context as names and values."""
    return [(name, _value_in_words(value)) for name, value in decode(occurrence.context).items()]


def _value_in_words(value: Any) -> str:
    if isinstance(value, datetime) and timezone.is_aware(value):
        return narrative.moment(value)
    if isinstance(value, dict | list | bool | None):
        return json.dumps(value, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)
    return str(value)
