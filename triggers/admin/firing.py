"""
The pages *Fire…* and *Explain…* of a trigger: say what one of its events would do, and have it happen.

Both ask the same form. *Explain…* shows the answer below it and writes nothing; *Fire…* shows the answer on a page
of its own that is to be confirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.contrib import admin, messages
from django.contrib.admin.helpers import AdminForm
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.urls import path as url_path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from triggers import clock, fire
from triggers.admin.forms import FiringForm
from triggers.admin.prospects import Candidate, candidates
from triggers.admin.records import context_in_words
from triggers.exceptions import FiringRefused
from triggers.explaining import explain
from triggers.models import Occurrence, Trigger

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Trigger]
else:
    ModelAdmin = admin.ModelAdmin

#: What occurrences say that were fired here.
SOURCE = "admin"


class FiringAdmin(ModelAdmin):
    """The trigger's events can be fired with ``triggers.fire_event``, and explained with ``triggers.explain_event``."""

    def get_urls(self) -> list[URLPattern]:
        pages = {"fire": self.fire_view, "explain": self.explain_view}
        own = [
            url_path(
                f"<path:object_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{name}",
            )
            for name, view in pages.items()
        ]
        return [*own, *super().get_urls()]

    def explain_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the event would do now. Nothing is written."""
        trigger = self._permitted(request, object_id, "triggers.explain_event")
        form = FiringForm(trigger, request.POST if request.method == "POST" else None)
        context = {"title": _("What would an event do?"), "candidates": _preview(form)}
        return self._page(request, trigger, form, "explain", context)

    def fire_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask; show what would happen; have it happen once that is confirmed."""
        trigger = self._permitted(request, object_id, "triggers.fire_event")
        form = FiringForm(trigger, request.POST if request.method == "POST" else None)
        if "confirm" in request.POST and form.is_valid():
            occurrence = self._fire(request, trigger, form)
            if occurrence is not None:
                return HttpResponseRedirect(self._url_after(request, trigger, occurrence))
        preview = None if "change" in request.POST else _preview(form)
        if preview is None:
            return self._page(request, trigger, form, "fire", {"title": _("Fire an event")})
        context = {
            "title": _("Fire this event?"),
            "event_context": context_in_words(form.cleaned_data["context"]),
            "may_see_details": True,
            "candidates": preview,
            "key": str(uuid4()),
        }
        return self._page(request, trigger, form, "fire_confirmation", context)

    def _permitted(self, request: HttpRequest, object_id: str, permission: str) -> Trigger:
        trigger = self.get_object(request, unquote(object_id))
        if not (self.has_view_permission(request, trigger) and request.user.has_perm(permission)):
            raise PermissionDenied
        if trigger is None:
            raise Http404
        return trigger

    def _fire(self, request: HttpRequest, trigger: Trigger, form: FiringForm) -> Occurrence | None:
        """The occurrence, written to the trigger's history too; None, and an error in the form, if it was refused."""
        people = form.cleaned_data["users"]
        try:
            with transaction.atomic(using=clock.alias()):
                occurrence = fire(
                    form.chosen_event,
                    users=people,
                    context=form.cleaned_data["context"],
                    key=request.POST.get("key") or None,
                    source=SOURCE,
                    fired_by=request.user,
                )
                if not occurrence.replayed:
                    self.log_change(request, trigger, _fired(form, occurrence))
        except FiringRefused as refusal:
            form.add_error(refusal.argument if refusal.argument in form.fields else None, str(refusal))
            return None
        message = ngettext("It was fired for %d user.", "It was fired for %d users.", len(people))
        self.message_user(request, message % len(people), messages.SUCCESS)
        return occurrence

    def _url_after(self, request: HttpRequest, trigger: Trigger, occurrence: Occurrence) -> str:
        """The occurrence, for those who may see it."""
        site = self.admin_site
        if site.is_registered(Occurrence) and site.get_model_admin(Occurrence).has_view_permission(request):
            return reverse(f"{site.name}:triggers_occurrence_change", args=[occurrence.pk])
        return reverse(f"{site.name}:{self.opts.app_label}_{self.opts.model_name}_change", args=[trigger.pk])

    def _page(
        self, request: HttpRequest, trigger: Trigger, form: FiringForm, template: str, context: dict[str, Any]
    ) -> HttpResponse:
        request.current_app = self.admin_site.name
        admin_form: Any = AdminForm
        common = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": trigger,
            "subtitle": str(trigger),
            "form": form,
            "adminform": admin_form(form, [(None, {"fields": list(form.fields)})], {}),
            "media": self.media + form.media,
        }
        return TemplateResponse(request, f"admin/triggers/trigger/{template}.html", common | context)


def _preview(form: FiringForm) -> list[Candidate] | None:
    """What would happen; None if nothing was asked, or if what was asked is wrong: the form says so then."""
    if not form.is_valid():
        return None
    try:
        explanations = explain(
            form.chosen_event,
            users=form.cleaned_data["users"],
            context=form.cleaned_data["context"],
        )
    except FiringRefused as refusal:
        form.add_error(refusal.argument if refusal.argument in form.fields else None, str(refusal))
        return None
    return candidates(explanations)


def _fired(form: FiringForm, occurrence: Occurrence) -> str:
    """The line in the trigger's history."""
    count = len(form.cleaned_data["users"])
    line = ngettext(
        "Fired %(event)s, for %(count)d user: occurrence %(id)s.",
        "Fired %(event)s, for %(count)d users: occurrence %(id)s.",
        count,
    )
    return line % {"event": form.choice_in_words, "count": count, "id": occurrence.pk}
