"""What was fired: each occurrence says which triggers it matched, and why it did not match others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator, capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from triggers import clock
from triggers.admin import narrative
from triggers.admin.paging import BoundedPaginator
from triggers.admin.people import called
from triggers.admin.records import RecordAdmin, WhenFilter, context_in_words, link_to_run, when_in_list
from triggers.context import decode
from triggers.durations import in_words
from triggers.loading import load, rows
from triggers.models import AudienceChunk, Event, Occurrence, Run, Trigger
from triggers.recording import MATCHED
from triggers.registry import event_kinds

#: How many of the users who do not exist are named.
MAX_UNKNOWN: Final = 100


class TypeFilter(admin.SimpleListFilter):
    """By event type. The types are those installed: looking which were fired reads all occurrences."""

    title = gettext_lazy("event")
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        types = [kind.name for kind in event_kinds()]
        names = [(type_, str(capfirst(narrative.type_in_words(type_)))) for type_ in types]
        return sorted(names, key=lambda choice: choice[1].lower())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Occurrence]) -> QuerySet[Occurrence]:
        return queryset.filter(type=self.value()) if self.value() else queryset


class TriggerFilter(admin.SimpleListFilter):
    """What happened that the trigger's events are about: of their types, and not for another trigger's event only."""

    title = gettext_lazy("trigger")
    parameter_name = "trigger"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        triggers = rows(Trigger, clock.alias()).order_by("name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in triggers]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Occurrence]) -> QuerySet[Occurrence]:
        value = self.value()
        if value is None:
            return queryset
        if value not in dict(self.lookup_choices):
            return queryset.none()
        events, _missing = load(rows(Event, clock.alias()).filter(trigger=int(value)))
        types = {event.kind.name for event in events}
        return queryset.filter(Q(event=None) | Q(event__in=[event.pk for event in events]), type__in=types)


@dataclass(frozen=True)
class Match:
    """A configured event that was considered, as a line of the table."""

    trigger: str
    words: str
    runs: str


@dataclass(frozen=True)
class RunCount:
    """How many of an occurrence's runs have a status."""

    status: str
    label: str
    count: int


@admin.register(Occurrence)
class OccurrenceAdmin(RecordAdmin):
    list_display = ("when", "what", "by", "matched")
    list_filter = (WhenFilter, TypeFilter, TriggerFilter)
    list_select_related = ("fired_by",)
    search_fields = ("id",)
    search_help_text = gettext_lazy(
        "An occurrence’s id, or the whole user name or e-mail address of a person to whom it happened."
    )
    fields = (
        "what_exactly",
        "scope",
        "occurred",
        "recorded",
        "extra_delay",
        "fired_by",
        "source",
        "key",
        "caused_by",
        "unknown",
        "id",
    )
    readonly_fields = fields

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without what the occurrence does not have."""
        values = {
            "extra_delay": obj.delay,
            "fired_by": obj.fired_by_id,
            "source": obj.source,
            "key": obj.key,
            "caused_by": obj.cause_id,
            "unknown": obj.unknown_users,
        }
        return [name for name in self.fields if values.get(name, True)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Occurrence]:
        return super().get_queryset(request).defer("context", "unknown_users")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Occurrence], search_term: str
    ) -> tuple[QuerySet[Occurrence], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            pass
        user_ids = list(called(term).values_list("pk", flat=True))
        theirs = Run.objects.using(clock.alias()).filter(user__in=user_ids)
        return queryset.filter(pk__in=theirs.values("occurrence")), False

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        may_see_details = request.user.has_perm("triggers.view_context")
        context |= {
            "occurrence": obj,
            "story": narrative.story_of_occurrence(obj),
            "matches": self._matches(obj),
            "runs": self._runs(obj),
            "may_see_details": may_see_details,
            "event_context": context_in_words(decode(obj.context)) if may_see_details else [],
        }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def _matches(self, occurrence: Any) -> list[Match]:
        notes = occurrence.matches
        kept = rows(Trigger, clock.alias()).filter(pk__in={note["trigger"] for note in notes})
        ids = set(kept.values_list("pk", flat=True))
        return [self._match(occurrence, note, note["trigger"] in ids) for note in notes]

    def _match(self, occurrence: Any, note: dict[str, Any], is_kept: bool) -> Match:
        name = note["trigger_name"]
        if is_kept:
            trigger = occurrence.links.to_page(Trigger, note["trigger"], name)
        else:
            trigger = _("%(name)s (deleted)") % {"name": name}
        if note["code"] != MATCHED:
            return Match(trigger, str(capfirst(narrative.why_not_started(note["code"], note["detail"]))), "")
        query = {"occurrence": occurrence.pk, "event": note["event"]}
        return Match(trigger, _("Matched."), occurrence.links.to_list(Run, _("Its runs"), **query))

    def _runs(self, occurrence: Occurrence) -> dict[str, Any]:
        """How many runs there are by status, counted no further than lists are."""
        runs = Run.objects.using(clock.alias())
        some = runs.filter(occurrence=occurrence).order_by()[: BoundedPaginator.LIMIT + 1]
        found = runs.filter(pk__in=some.values("pk")).order_by().values_list("status").annotate(Count("pk"))
        counts = dict(found)
        unexpanded = AudienceChunk.objects.using(clock.alias()).filter(
            occurrence=occurrence, event__isnull=False, done_at=None
        )
        return {
            "counts": [
                RunCount(status.value, str(status.label), counts[status]) for status in Run.Status if status in counts
            ],
            "limit": BoundedPaginator.LIMIT,
            "is_cut_off": sum(counts.values()) > BoundedPaginator.LIMIT,
            "to_come": unexpanded.count() * AudienceChunk.SIZE,
        }

    @admin.display(description=gettext_lazy("when"), ordering="id")
    def when(self, occurrence: Occurrence) -> str:
        return when_in_list(occurrence.recorded_at)

    @admin.display(description=gettext_lazy("event"))
    def what(self, occurrence: Occurrence) -> str:
        return str(capfirst(narrative.type_in_words(occurrence.type)))

    @admin.display(description=gettext_lazy("fired by"))
    def by(self, occurrence: Occurrence) -> str:
        if occurrence.cause_id:
            return _("another run")
        return ", ".join(str(part) for part in (occurrence.fired_by, occurrence.source) if part) or "–"

    @admin.display(description=gettext_lazy("matched triggers"))
    def matched(self, occurrence: Occurrence) -> str:
        names = narrative.names_of_matched(occurrence)
        return Truncator(", ".join(names)).chars(120) or str(capfirst(narrative.why_nothing_started(occurrence)))

    @admin.display(description=gettext_lazy("event"))
    def what_exactly(self, occurrence: Occurrence) -> str:
        return narrative.type_with_label(occurrence.type)

    @admin.display(description=gettext_lazy("happened"))
    def occurred(self, occurrence: Occurrence) -> str:
        return narrative.moment(occurrence.occurred_at)

    @admin.display(description=gettext_lazy("recorded"))
    def recorded(self, occurrence: Occurrence) -> str:
        return narrative.moment(occurrence.recorded_at)

    @admin.display(description=gettext_lazy("fired for"))
    def scope(self, occurrence: Occurrence) -> str:
        return _("one trigger only") if occurrence.event_id else _("all triggers that use the event")

    @admin.display(description=gettext_lazy("extra delay"))
    def extra_delay(self, occurrence: Occurrence) -> str:
        return in_words(occurrence.delay)

    @admin.display(description=gettext_lazy("caused by"))
    def caused_by(self, occurrence: Occurrence) -> str:
        return link_to_run(occurrence, narrative.existing(occurrence, "cause"))

    @admin.display(description=gettext_lazy("unknown users"))
    def unknown(self, occurrence: Occurrence) -> str:
        """The keys that were given and belong to nobody."""
        keys = occurrence.unknown_users
        named = ", ".join(keys[:MAX_UNKNOWN])
        others = len(keys) - MAX_UNKNOWN
        if others <= 0:
            return named
        return ngettext("%(keys)s and %(count)d other", "%(keys)s and %(count)d others", others) % {
            "keys": named,
            "count": others,
        }
