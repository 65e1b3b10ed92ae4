"""Where product people set triggers up: when something happens, if these conditions hold, do that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from polymorphic.admin import PolymorphicInlineSupportMixin

from triggers import clock, enabling, engines
from triggers.admin.components import (
    ActionInline,
    ComponentAdminFormSet,
    ComponentsInline,
    ConditionInline,
    EventInline,
)
from triggers.admin.firing import FiringAdmin
from triggers.admin.parts import Kind, Parts
from triggers.exceptions import TriggerIncomplete
from triggers.loading import load, rows
from triggers.models import Action, Condition, Event, Trigger

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Trigger]
else:
    ModelAdmin = admin.ModelAdmin


class TriggerList(ChangeList):
    """A page of triggers; each knows its page's parts."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        triggers: list[Any] = list(self.result_list)
        parts = Parts(triggers)
        for trigger in triggers:
            trigger.parts = parts
        self.result_list = triggers


class ComponentTypeFilter(admin.SimpleListFilter):
    """The triggers that have a component of the type; the types are those in use."""

    kind: Kind

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        type_ids = rows(self.kind, clock.alias()).order_by().values_list("polymorphic_ctype", flat=True).distinct()
        types = [ContentType.objects.get_for_id(type_id) for type_id in type_ids if type_id]
        names = [(str(type_.pk), str(capfirst(type_.name))) for type_ in types]
        return sorted(names, key=lambda choice: choice[1].lower())

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Trigger]) -> models.QuerySet[Trigger]:
        value = self.value()
        if value is None:
            return queryset
        if value not in dict(self.lookup_choices):
            return queryset.none()
        of_type = rows(self.kind, clock.alias()).filter(polymorphic_ctype=int(value))
        return queryset.filter(pk__in=of_type.values("trigger"))


class EventTypeFilter(ComponentTypeFilter):
    title = gettext_lazy("event")
    parameter_name = "event_type"
    kind = Event


class ConditionTypeFilter(ComponentTypeFilter):
    title = gettext_lazy("condition")
    parameter_name = "condition_type"
    kind = Condition


class ActionTypeFilter(ComponentTypeFilter):
    title = gettext_lazy("action")
    parameter_name = "action_type"
    kind = Action


@admin.register(Trigger)
class TriggerAdmin(FiringAdmin, PolymorphicInlineSupportMixin, ModelAdmin):
    fields = ("name", "description", "is_enabled", "engine")
    inlines = (EventInline, ConditionInline, ActionInline)
    list_display = ("name", "is_enabled", "when", "conditions", "do", "about")
    list_filter = ("is_enabled", EventTypeFilter, ConditionTypeFilter, ActionTypeFilter)
    search_fields = ("name", "description")
    ordering = ("name",)
    actions = ("enable", "disable")

    class Media:
        css: ClassVar = {"all": ("triggers/admin.css",)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TriggerList

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Trigger]:
        queryset: Any = super().get_queryset(request)
        # Polymorphic querysets leave out triggers whose own class is not installed.
        result: models.QuerySet[Trigger] = queryset.non_polymorphic()
        return result

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Trigger | None:
        trigger = super().get_object(request, object_id, from_field)
        if trigger is None:
            return None
        found, _missing = load(rows(Trigger, clock.alias()).filter(pk=trigger.pk))
        return found[0] if found else trigger

    def formfield_for_dbfield(self, db_field: models.Field[Any, Any], request: Any, **kwargs: Any) -> Any:
        if db_field.name == "engine":
            default = _("default (%(engine)s)") % {"engine": engines.default_name()}
            choices = [("", default), *((name, name) for name in engines.names())]
            return forms.ChoiceField(
                choices=choices,
                required=False,
                label=capfirst(db_field.verbose_name),
                help_text=db_field.help_text,
            )
        if db_field.name == "description":
            kwargs["widget"] = forms.Textarea({"rows": 3, "class": "vLargeTextField"})
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_inline_formsets(
        self, request: HttpRequest, formsets: list[Any], inline_instances: list[Any], *args: Any, **kwargs: Any
    ) -> Any:
        shown = super().get_inline_formsets(request, formsets, inline_instances, *args, **kwargs)
        for formset in shown:
            if isinstance(formset.opts, ComponentsInline):
                formset.__class__ = ComponentAdminFormSet
        return shown

    @admin.display(description=gettext_lazy("description"))
    def about(self, trigger: Trigger) -> str:
        return Truncator(trigger.description).words(20)

    @admin.display(description=gettext_lazy("when"))
    def when(self, trigger: Any) -> str:
        return _listed("ul", trigger.parts.of(Event, trigger))

    @admin.display(description=gettext_lazy("if"))
    def conditions(self, trigger: Any) -> str:
        return _listed("ul", trigger.parts.of(Condition, trigger))

    @admin.display(description=gettext_lazy("do"))
    def do(self, trigger: Any) -> str:
        return _listed("ol", trigger.parts.of(Action, trigger))

    @admin.action(description=gettext_lazy("Enable"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: models.QuerySet[Trigger]) -> None:
        """Each trigger that is complete is enabled; for each other one a message says what is missing."""
        enabled = 0
        for trigger in queryset:
            try:
                enabling.enable(trigger.pk)
            except TriggerIncomplete as refusal:
                self.message_user(request, str(refusal), messages.ERROR)
            else:
                enabled += self._changed(request, trigger, not trigger.is_enabled, _("Enabled."))
        if enabled:
            message = ngettext("%d trigger was enabled.", "%d triggers were enabled.", enabled)
            self.message_user(request, message % enabled, messages.SUCCESS)

    @admin.action(description=gettext_lazy("Disable"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: models.QuerySet[Trigger]) -> None:
        disabled = 0
        for trigger in queryset:
            enabling.disable(trigger.pk)
            disabled += self._changed(request, trigger, trigger.is_enabled, _("Disabled."))
        if disabled:
            message = ngettext("%d trigger was disabled.", "%d triggers were disabled.", disabled)
            self.message_user(request, message % disabled, messages.SUCCESS)

    def _changed(self, request: HttpRequest, trigger: Trigger, is_changed: bool, line: str) -> bool:
        """Note in the trigger's history what was done, if anything was."""
        if is_changed:
            self.log_change(request, trigger, line)
        return is_changed


def _listed(tag: str, lines: list[str]) -> str:
    if not lines:
        return "–"
    items = format_html_join("", "<li>{}</li>", ((line,) for line in lines))
    return format_html('<{0} class="triggers-parts">{1}</{0}>', tag, items)
