"""What became of a run, in words for people who do not know the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.core.exceptions import ObjectDoesNotExist
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst, get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from triggers.context import plain
from triggers.models import Condition, Event, Occurrence, Run, Step
from triggers.models.records import Awaited
from triggers.recording import MATCHED
from triggers.registry import component_types, has_names

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

#: Why a run ended as it did, by its code.
REASONS: Final[Mapping[str, StrOrPromise]] = {
    "action_declined": gettext_lazy("an action declined"),
    "action_failed": gettext_lazy("an action failed"),
    "cancelled": gettext_lazy("somebody cancelled it"),
    "component_missing": gettext_lazy("a part of the trigger is not installed"),
    "condition_error": gettext_lazy("a condition could not be evaluated"),
    "condition_failed": gettext_lazy("a condition does not hold"),
    "context_error": gettext_lazy("what the event tells could not be read"),
    "evaluation_failed": gettext_lazy("the conditions could not be evaluated"),
    "event_deleted": gettext_lazy("the event was removed from the trigger"),
    "limit_reached": gettext_lazy("a limit was reached"),
    "stopped": gettext_lazy("an action ended it early"),
    "secret_missing": gettext_lazy("the secrets of an action were deleted with it"),
    "timed_out": gettext_lazy("what it waited for did not happen in time"),
    "trigger_deleted": gettext_lazy("the trigger was deleted"),
    "trigger_disabled": gettext_lazy("the trigger is not enabled"),
    "trigger_incomplete": gettext_lazy("the trigger has no action"),
    "user_gone": gettext_lazy("the user does not exist any more"),
    "worker_lost": gettext_lazy("the workers that performed it died or did not answer"),
}

#: Why a configured event started nothing, or the whole occurrence, where it is no reason that runs have too.
_NOT_STARTED: Final[Mapping[str, StrOrPromise]] = {
    "audience_error": gettext_lazy("its audience could not be read"),
    "delay_too_long": gettext_lazy("the delay leads beyond the last date there is"),
    "depth_exceeded": gettext_lazy("too many events fired one another in a row"),
    "event_error": gettext_lazy("the event could not tell whether this concerns it"),
    "event_not_concerned": gettext_lazy("the event is set up to leave this out"),
}
#: With these codes, what was recorded says more than the words here.
_WITH_DETAIL: Final = {"audience_error", "component_missing", "condition_error", "depth_exceeded", "event_error"}


def reason_for_code(code: str) -> str:
    return str(REASONS.get(code) or _NOT_STARTED.get(code) or code.replace("_", " "))


def known_codes() -> list[str]:
    """The codes that runs may have: those of the core, and those of the installed conditions."""
    own = {model.code for model in component_types(Condition)}
    return sorted({*REASONS, *own})


def short_reason(run: Run) -> str:
    """Why, in a few words. Blank if the run simply went through, or can go on."""
    if run.is_open and run.cancel_requested_at is not None:
        return _("To be cancelled")
    if run.waiting_for and _is_early(run):
        awaited = {"event": type_in_quotes(run.waiting_for.type), "moment": moment(run.due_at)}
        return _("for %(event)s, until %(moment)s") % awaited
    if run.is_open:
        return _("until %(moment)s") % {"moment": moment(run.due_at)} if _is_early(run) else ""
    if run.decision and run.code != "condition_error":
        if run.decision["observed"]:
            return str(_("“%(name)s” does not hold: %(observed)s") % run.decision)
        return str(_("“%(name)s” does not hold") % run.decision)
    if run.code:
        return str(capfirst(reason_for_code(run.code)))
    return run.detail


def story(run: Run, steps: list[Step]) -> str:
    """What has happened and why, as a sentence or two."""
    return f"{capfirst(run.get_status_display())}: {_explanation(run, steps)}"


def _explanation(run: Run, steps: list[Step]) -> str:
    if run.is_open:
        return _what_is_next(run, steps)
    if run.decision and run.decision["observed"]:
        sentence = _("the condition “%(name)s” does not hold. Required: %(required)s, observed: %(observed)s.")
        return str(sentence % run.decision)
    if run.code == "stopped":
        return _("an action ended the run early: %(reason)s") % {"reason": run.detail}
    if run.detail:
        return run.detail
    if run.code:
        return reason_for_code(run.code) + "."
    done = run.steps_succeeded
    return ngettext("%d action was performed.", "%d actions were performed.", done) % done


def _what_is_next(run: Run, steps: list[Step]) -> str:
    if run.cancel_requested_at is not None:
        return _what_is_next_of_cancelled(run)
    if run.status == Run.Status.RUNNING:
        return _("a worker is performing it.")
    if not _is_early(run):
        return _("the next free worker takes it further.")
    until = moment(run.due_at)
    failed_before = [step for step in steps if step.status == Step.Status.WAITING]
    if failed_before:
        return _("an action failed and is tried again on %(moment)s.") % {"moment": until}
    if run.waiting_for is not None:
        return _what_it_waits_for(run.waiting_for)
    if run.started_at is None:
        return _("it starts on %(moment)s.") % {"moment": until}
    return _("it goes on, on %(moment)s.") % {"moment": until}


def _what_it_waits_for(awaited: Awaited) -> str:
    """Without what the event must tell, which not everybody may see."""
    names = {"event": type_in_quotes(awaited.type), "moment": moment(awaited.until)}
    if awaited.context:
        names["keys"] = get_text_list(sorted(plain(awaited.context)), _("and"))
        sentence = _("it waits for %(event)s with a certain %(keys)s, until %(moment)s at the latest.")
    else:
        sentence = _("it waits for %(event)s, until %(moment)s at the latest.")
    after = _("It stops then.") if awaited.on_timeout == "stop" else _("It goes on then in any case.")
    return f"{sentence % names} {after}"


def _what_is_next_of_cancelled(run: Run) -> str:
    asked = _("somebody asked on %(moment)s to cancel it.") % {"moment": moment(run.cancel_requested_at)}
    if run.status == Run.Status.RUNNING:
        return asked + " " + _("A worker is performing it: it ends before its next action.")
    return asked + " " + _("It ends as soon as a worker takes it up.")


def _is_early(run: Run) -> bool:
    return run.status != Run.Status.RUNNING and run.due_at is not None and run.due_at > timezone.now()


def why_not_started(code: str, detail: str) -> str:
    """Why a configured event, or all of an occurrence, starts nothing; begins with a small letter."""
    sentence = f"{reason_for_code(code)}."
    return f"{sentence} {detail}" if detail and code in _WITH_DETAIL else sentence


def names_of_matched(occurrence: Occurrence) -> list[str]:
    """The triggers that the occurrence matched, by the names they had then."""
    return list(dict.fromkeys(note["trigger_name"] for note in occurrence.matches if note["code"] == MATCHED))


def story_of_occurrence(occurrence: Occurrence) -> str:
    """Which triggers the occurrence matched, or why none, as a sentence or two."""
    names = names_of_matched(occurrence)
    if names:
        shown = [f"“{name}”" for name in names]
        return ngettext(
            "The event matched the trigger %(names)s.", "The event matched the triggers %(names)s.", len(names)
        ) % {"names": get_text_list(shown, _("and"))}
    return _("Nothing was started: %(reason)s") % {"reason": why_nothing_started(occurrence)}


def why_nothing_started(occurrence: Occurrence) -> str:
    if occurrence.code:
        return why_not_started(occurrence.code, occurrence.detail)
    reasons = list(dict.fromkeys((note["code"], note["detail"]) for note in occurrence.matches))
    if not reasons:
        return _("no trigger uses this event.")
    if len({code for code, _detail in reasons}) > 1:
        return _("no trigger that uses this event was ready for it.")
    return why_not_started(*reasons[0])


def type_in_words(type_: str) -> str:
    """What people call the component type; its name, in quotes, where it is no class that is installed."""
    return _class_in_words(type_) or _name_in_words(type_)


def type_in_quotes(type_: str) -> str:
    """What people call the component type, in quotes."""
    words = _class_in_words(type_)
    return f"“{words}”" if words else _name_in_words(type_)


def type_with_label(type_: str) -> str:
    """What people call the component type, and what developers call it, unless that is the same."""
    words = _class_in_words(type_)
    return f"{capfirst(words)} ({type_})" if words else _name_in_words(type_)


def _class_in_words(type_: str) -> str:
    """What people call the class; blank where the type is no class that is installed."""
    try:
        return str(apps.get_model(type_)._meta.verbose_name)
    except (LookupError, ValueError):
        return ""


def _name_in_words(type_: str) -> str:
    # Names that people have given have no capital letter after their last dot, as classes have.
    if not type_.rpartition(".")[2][:1].isupper() and any(map(has_names, component_types(Event))):
        return f"“{type_}”"
    return _("“%(type)s”, which is not installed") % {"type": type_}


def moment(value: datetime | None) -> str:
    """The time to the second: what happens in a run is seldom minutes apart."""
    if value is None:
        return ""
    local = timezone.localtime(value)
    return f"{date_format(local, 'DATE_FORMAT')} {date_format(local, 'H:i:s')}"


def existing(record: Any, name: str) -> Any:
    """What the record's past reference refers to; None if that is gone."""
    try:
        return getattr(record, name)
    except ObjectDoesNotExist:
        return None


@dataclass(frozen=True)
class StepLine:
    """A step as a line of the table."""

    step: Step
    #: A link to the event that ended the wait which the step began.
    event: str = ""
    #: What the action has kept, for those who may see it.
    result: Sequence[tuple[str, str]] = ()

    @property
    def action(self) -> str:
        action = existing(self.step, "action")
        return str(capfirst(str(action or type_in_words(self.step.type))))

    @property
    def is_removed(self) -> bool:
        """Whether the trigger does not have the action any more."""
        return existing(self.step, "action") is None

    @property
    def began(self) -> str:
        return moment(self.step.started_at)

    @property
    def ended(self) -> str:
        return moment(self.step.ended_at)
