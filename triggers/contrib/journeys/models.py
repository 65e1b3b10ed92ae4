"""
The actions of journeys.

Each is a model: its fields are what is set in the admin and over HTTP, its docstring is the help shown there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from triggers import current_step, flow
from triggers.contrib.event_names import EventNameField, title_of
from triggers.contrib.journeys.clocks import next_time, zone_of
from triggers.durations import in_words
from triggers.exceptions import PermanentError
from triggers.models import Action

LONGEST = timedelta(days=3660)


def some_time() -> list[Any]:
    return [
        MinValueValidator(timedelta(seconds=1), _("Wait for a second at least.")),
        MaxValueValidator(LONGEST, _("Wait for ten years at most.")),
    ]


class JourneyAction(Action):
    """What journeys are made of. Such a step does not fail halfway, so nothing is asked about that."""

    class Meta:
        abstract = True

    @classmethod
    def admin_initkwargs(cls) -> dict[str, Any]:
        return {"exclude": ["on_failure"]}


class WaitForTime(JourneyAction):
    """Waits for some time before the next action."""

    duration = models.DurationField(
        _("duration"), validators=some_time(), help_text=_("Three days are “3 00:00:00”, or “P3D”.")
    )

    class Meta:
        verbose_name = _("wait for some time")
        verbose_name_plural = _("wait for some time")

    def __str__(self) -> str:
        if self.duration is None:
            return super().__str__()
        return gettext("wait for %(duration)s") % {"duration": in_words(self.duration)}

    def perform(self, user: Any, context: dict[str, Any]) -> flow.Wait:
        return flow.Wait(self.duration)


class WaitUntilTimeOfDay(JourneyAction):
    """
    Waits until it is this time of day where the person is.

    The time zone is the person's own if the project knows it, else the project's. When that time has passed today, the
    run waits until tomorrow.
    """

    time = models.TimeField(_("time of day"))

    class Meta:
        verbose_name = _("wait until a time of day")
        verbose_name_plural = _("wait until a time of day")

    def __str__(self) -> str:
        if self.time is None:
            return super().__str__()
        return gettext("wait until %(time)s") % {"time": f"{self.time:%H:%M}"}

    def perform(self, user: Any, context: dict[str, Any]) -> flow.Wait:
        step = current_step()
        now = (step and step.now) or timezone.now()
        return flow.Wait(next_time(self.time, zone_of(user), after=now))


class WaitForEvent(JourneyAction):
    """
    Waits until something happens to the person, but not for ever.

    What has happened since the action before counts. With matching keys, only an event counts that tells the same
    under these keys as the one that started this, as in “order_id”.
    """

    #: Of a component over HTTP, to begin with.
    api_example: ClassVar[dict[str, Any]] = {"event_type": "order.paid", "within": "P3D"}

    event_type = EventNameField(_("event"))
    within = models.DurationField(
        _("within"),
        validators=some_time(),
        help_text=_("How long to wait at most. Three days are “3 00:00:00”, or “P3D”."),
    )
    on_timeout = models.CharField(
        _("on timeout"),
        max_length=8,
        choices=[("continue", _("go on with the next action")), ("stop", _("stop the run"))],
        default="continue",
        help_text=_("What happens to the rest of the run when it does not happen in time."),
    )
    matching_keys = models.CharField(
        _("matching keys"),
        max_length=200,
        blank=True,
        default="",
        help_text=_("Names from what the event tells, separated by commas. Blank: any such event counts."),
    )

    class Meta:
        verbose_name = _("wait for an event")
        verbose_name_plural = _("wait for an event")

    def __str__(self) -> str:
        if not self.event_type:
            return super().__str__()
        return gettext("wait for “%(event)s”") % {"event": title_of(self.event_type)}

    def clean(self) -> None:
        super().clean()
        if self.matching_keys and not all(self.keys):
            raise ValidationError({"matching_keys": _("Write names, separated by commas, as in “order_id, item”.")})

    @property
    def keys(self) -> list[str]:
        """The keys under which the event must tell the same."""
        return [key.strip() for key in self.matching_keys.split(",")] if self.matching_keys else []

    def awaited_types(self) -> Sequence[str]:
        return [self.event_type]

    def perform(self, user: Any, context: dict[str, Any]) -> flow.WaitForEvent:
        if missing := [key for key in self.keys if key not in context]:
            raise PermanentError(f"The event that started this run does not tell {', '.join(missing)}.")
        matching = {key: context[key] for key in self.keys}
        on_timeout: flow.OnTimeout = "stop" if self.on_timeout == "stop" else "continue"
        return flow.WaitForEvent(self.event_type, self.within, on_timeout, matching)


class GoOnIfConditionsHold(JourneyAction):
    """
    Goes on only if the conditions of the trigger hold for the person still; ends the run otherwise.

    Limits are left out: this run has been counted already.
    """

    class Meta:
        verbose_name = _("go on only if the conditions still hold")
        verbose_name_plural = _("go on only if the conditions still hold")

    def perform(self, user: Any, context: dict[str, Any]) -> flow.GoOnIfConditionsHold:
        return flow.GoOnIfConditionsHold()
