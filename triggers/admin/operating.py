"""What people do to runs: cancel them, have them tried again, replay them; one of them or a selection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from triggers import clock, firing, running
from triggers.exceptions import NothingToStart, UnknownEventType
from triggers.models import Event, Run

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    ModelAdmin = admin.ModelAdmin[Run]
else:
    ModelAdmin = admin.ModelAdmin

#: How many runs of a selection are operated on at most, so that the answer comes in time.
MAX_RUNS: Final = 500


#: What became of an operation, as a sentence about all runs of which it is true.
SENTENCES: Final = {
    "cancelled": ngettext_lazy("%d run was cancelled.", "%d runs were cancelled."),
    "in hand": ngettext_lazy(
        "%d run is in a worker’s hands: it ends before its next action.",
        "%d runs are in a worker’s hands: they end before their next action.",
    ),
    "retried": ngettext_lazy("%d run is tried again.", "%d runs are tried again."),
    "replayed": ngettext_lazy("%d run was replayed.", "%d runs were replayed."),
    "ended": ngettext_lazy(
        "%d run was left alone: it has ended already.", "%d runs were left alone: they have ended already."
    ),
    "not failed": ngettext_lazy(
        "%d run was left alone: it neither failed nor was stopped because its trigger was disabled.",
        "%d runs were left alone: they neither failed nor were stopped because their trigger was disabled.",
    ),
    "not ended": ngettext_lazy(
        "%d run was not replayed: it has not ended yet.", "%d runs were not replayed: they have not ended yet."
    ),
    "event gone": ngettext_lazy(
        "%d run was not replayed: its event was removed from the trigger.",
        "%d runs were not replayed: their events were removed from their triggers.",
    ),
    "nothing to start": ngettext_lazy(
        "%d run was not replayed: its trigger is not enabled or not complete, its event is set to leave it out, "
        "or its user is gone.",
        "%d runs were not replayed: their triggers are not enabled or not complete, their events are set to leave "
        "them out, or their users are gone.",
    ),
}

#: A run, the key of the sentence, and the line for the run's history: blank if nothing was done.
Outcome = tuple[Run, str, str]


def _cancel(runs: Sequence[Run], user: Any) -> Iterator[Outcome]:
    running.cancel([run.pk for run in runs if run.is_open])
    now = Run.objects.using(clock.alias()).in_bulk([run.pk for run in runs])
    for run in runs:
        after = now.get(run.pk)
        if run.is_open and after and after.cancel_requested_at and after.is_open:
            yield run, "in hand", _("Cancelled while a worker was performing it.")
        elif run.is_open and after and after.code == "cancelled":
            yield run, "cancelled", _("Cancelled.")
        else:
            yield run, "ended", ""


def _retry(runs: Sequence[Run], user: Any) -> Iterator[Outcome]:
    using = clock.alias()
    with transaction.atomic(using=using):
        # Locked, so that none is said to be retried that somebody else was quicker with.
        retriable = Run.objects.using(using).retriable().filter(pk__in=[run.pk for run in runs])
        ids = set(retriable.select_for_update().order_by("pk").values_list("pk", flat=True))
        firing.retry(ids)
    for run in runs:
        if run.pk in ids:
            yield run, "retried", _("Tried again.")
        else:
            yield run, "not failed", ""


def _replay(runs: Sequence[Run], user: Any) -> Iterator[Outcome]:
    for run in runs:
        if run.is_open:
            yield run, "not ended", ""
            continue
        try:
            again = firing.replay(run, fired_by=user).runs.get()
        except (Event.DoesNotExist, UnknownEventType):
            yield run, "event gone", ""
        except NothingToStart:
            yield run, "nothing to start", ""
        else:
            yield run, "replayed", _("Replayed as run %(id)s.") % {"id": again.pk}


@dataclass(frozen=True)
class Operation:
    name: str
    label: StrOrPromise
    #: What it does, for people who have not used it before.
    help: StrOrPromise
    #: Whether the run is in a state in which it is of use.
    suits: Callable[[Run], bool]
    perform: Callable[[Sequence[Run], Any], Iterator[Outcome]]


OPERATIONS: Final = {
    operation.name: operation
    for operation in (
        Operation(
            "cancel",
            gettext_lazy("Cancel"),
            gettext_lazy("Ends the run. An action that is being performed is not interrupted; none begins after it."),
            lambda run: run.is_open,
            _cancel,
        ),
        Operation(
            "retry",
            gettext_lazy("Try again"),
            gettext_lazy("Goes on with this run at the action that failed. What was done is not done again."),
            lambda run: run.can_be_retried,
            _retry,
        ),
        Operation(
            "replay",
            gettext_lazy("Replay"),
            gettext_lazy(
                "Fires the event for this user once more: a new run, from the first action on, "
                "with the conditions and actions that the trigger has today."
            ),
            lambda run: not run.is_open,
            _replay,
        ),
    )
}


class OperatingAdmin(ModelAdmin):
    """Runs can be operated on by those who have the permission ``triggers.operate_run``."""

    actions = ("cancel", "retry", "replay")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("triggers.operate_run")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.operate_view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_operate"
        return [path("<path:object_id>/operate/", view, name=name), *super().get_urls()]

    def operate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Do to the run what the button that was pressed is called, and show the run again."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        run = self.get_object(request, unquote(object_id))
        if not (self.has_view_permission(request, run) and self.has_operate_permission(request)):
            raise PermissionDenied
        operation = OPERATIONS.get(request.POST.get("operation", ""))
        if run is None or operation is None:
            raise Http404
        self._operate(request, operation, [run])
        url_name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(url_name, args=[object_id]))

    @admin.action(description=OPERATIONS["cancel"].label, permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self._operate_on_selection(request, OPERATIONS["cancel"], queryset)

    @admin.action(description=OPERATIONS["retry"].label, permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self._operate_on_selection(request, OPERATIONS["retry"], queryset)

    @admin.action(description=OPERATIONS["replay"].label, permissions=["operate"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        self._operate_on_selection(request, OPERATIONS["replay"], queryset)

    def _operate_on_selection(self, request: HttpRequest, operation: Operation, queryset: QuerySet[Run]) -> None:
        runs = list(queryset[: MAX_RUNS + 1])
        if len(runs) > MAX_RUNS:
            message = _("Nothing was done: select at most %(limit)s runs at a time.") % {"limit": MAX_RUNS}
            self.message_user(request, message, messages.ERROR)
        else:
            self._operate(request, operation, runs)

    def _operate(self, request: HttpRequest, operation: Operation, runs: Sequence[Run]) -> None:
        """What was done to a run is in its history; messages say to how many it was done, and why not to others."""
        counts: Counter[tuple[str, int]] = Counter()
        for run, sentence, line in operation.perform(runs, request.user):
            if line:
                self.log_change(request, run, line)
            counts[sentence, messages.SUCCESS if line else messages.WARNING] += 1
        for (sentence, level), count in sorted(counts.items(), key=lambda item: item[0][1]):
            self.message_user(request, SENTENCES[sentence] % count, level)
