"""What did happen: every run says in words what became of it and why."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from triggers import clock, engines
from triggers.admin import narrative
from triggers.admin.operating import OPERATIONS, OperatingAdmin, Operation
from triggers.admin.people import called
from triggers.admin.records import RecordAdmin, WhenFilter, context_in_words, link_to_run, when_in_list
from triggers.context import decode
from triggers.loading import rows
from triggers.models import Occurrence, Run, Step, Trigger


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
class RunAdmin(OperatingAdmin, RecordAdmin):
    list_display = ("when", "of_trigger", "event_type", "of_user", "state", "reason", "steps_done")
    list_filter = (WhenFilter, "status", CodeFilter, "trigger", EngineFilter)
    search_fields = ("id",)
    search_help_text = gettext_lazy(
        "A run’s id, a person’s whole user name or e-mail address, or part of a trigger’s name."
    )
    fields = (
        "of_trigger",
        "event_type",
        "of_user",
        "recorded",
        "due",
        "started",
        "ended",
        "keeps_to",
        "engine",
        "id",
        "caused_by",
        "original",
        "replays",
        "others",
    )
    readonly_fields = fields

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without what the run does not have."""
        values = {
            "due": obj.due_at,
            "started": obj.started_at,
            "ended": obj.ended_at,
            "keeps_to": obj.snapshot_id,
            "caused_by": obj.occurrence.cause_id,
            "original": obj.replay_of_id,
            "replays": self.replays(obj),
        }
        return [name for name in self.fields if values.get(name, True)]

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
        steps = list(obj.steps.prefetch_related("action", "woken_by"))
        may_see_details = request.user.has_perm("triggers.view_context")
        context |= {
            "run": obj,
            "story": narrative.story(obj, steps),
            "steps": [_line(obj, step, may_see_details) for step in steps],
            "may_see_details": may_see_details,
            "occurred": narrative.moment(obj.occurrence.occurred_at),
            "happened": narrative.type_with_label(obj.occurrence.type),
            "event_context": context_in_words(decode(obj.occurrence.context)) if may_see_details else [],
            "operations": self._operations(request, obj),
            "operate_url": reverse(f"{self.admin_site.name}:triggers_run_operate", args=[obj.pk]),
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _operations(self, request: HttpRequest, run: Run) -> list[Operation]:
        """What may be done and is of use."""
        if not self.has_operate_permission(request):
            return []
        return [operation for operation in OPERATIONS.values() if operation.suits(run)]

    @admin.display(description=gettext_lazy("when"), ordering="id")
    def when(self, run: Run) -> str:
        return when_in_list(run.created_at)

    @admin.display(description=gettext_lazy("trigger"))
    def of_trigger(self, run: Any) -> str:
        if narrative.existing(run, "trigger") is None:
            return _("%(name)s (deleted)") % {"name": run.trigger_name}
        return str(run.links.to_page(Trigger, run.trigger_id, run.trigger_name))

    @admin.display(description=gettext_lazy("event"))
    def event_type(self, run: Run) -> str:
        return str(capfirst(narrative.type_in_words(run.occurrence.type)))

    @admin.display(description=gettext_lazy("user"))
    def of_user(self, run: Any) -> str:
        user = narrative.existing(run, "user")
        if user is None:
            return _("user %(key)s (deleted)") % {"key": run.user_id}
        return str(run.links.to_page(get_user_model(), run.user_id, str(user)))

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

    @admin.display(description=gettext_lazy("definition"))
    def keeps_to(self, run: Run) -> str:
        return _("As it was when the run first waited, whatever was edited since.")

    @admin.display(description=gettext_lazy("caused by"))
    def caused_by(self, run: Any) -> str:
        return link_to_run(run, narrative.existing(run.occurrence, "cause"))

    @admin.display(description=gettext_lazy("replay of"))
    def original(self, run: Any) -> str:
        return link_to_run(run, narrative.existing(run, "replay_of"))

    @admin.display(description=gettext_lazy("replayed as"))
    def replays(self, run: Any) -> str:
        # By user and trigger, which have an index.
        runs = Run.objects.using(clock.alias()).filter(user=run.user_id, trigger=run.trigger_id, replay_of=run)
        return format_html_join(", ", "{}", ((link_to_run(run, replay),) for replay in runs.order_by("pk")))

    @admin.display(description=gettext_lazy("occurrence"))
    def others(self, run: Any) -> str:
        links = [run.links.to_list(Run, _("All runs of this event"), occurrence=run.occurrence_id)]
        if run.links.reach(Occurrence):
            links.insert(0, run.links.to_page(Occurrence, run.occurrence_id, _("What came of this event")))
        return format_html_join(", ", "{}", ((link,) for link in links))


def _line(run: Any, step: Step, may_see_details: bool) -> narrative.StepLine:
    result = decode(step.result) if may_see_details and step.result else {}
    return narrative.StepLine(step, _link_to_event(run, step), context_in_words(result))


def _link_to_event(run: Any, step: Step) -> str:
    """A link to the event that the step waited for, if it came and is kept still."""
    if narrative.existing(step, "woken_by") is None or not run.links.reach(Occurrence):
        return ""
    return str(run.links.to_page(Occurrence, step.woken_by_id, _("This event")))
