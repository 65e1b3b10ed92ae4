"""Events that the clock fires."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from itertools import count, islice, takewhile
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from cronsim import CronSimError
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, router, transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from triggers import conf, fire
from triggers.contrib.events import cron
from triggers.durations import in_words
from triggers.exceptions import KeyConflict
from triggers.models import Event, Trigger

logger = logging.getLogger(__name__)

SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=3660)
#: A time that has passed for no longer than this is late, not missed: sweeps come every so often only.
GRACE: Final = timedelta(minutes=5)
#: What intervals are counted from where no start was given.
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: How far back the latest time is looked for, until one is found: there are few in each of them.
_WINDOWS: Final = [timedelta(hours=1), timedelta(days=1), timedelta(days=32), timedelta(days=367)]


def audiences() -> list[tuple[str, str]]:
    """The names of the audiences that there are."""
    return [(name, name) for name in ("all", *sorted(conf.audiences()))]


def check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ValidationError(
            _("There is no time zone “%(name)s”; write one as in “Europe/Vienna”."), "time_zone", {"name": name[:64]}
        ) from None


class ScheduleEvent(Event):
    """
    Happens to everybody of an audience at certain times.

    The times are written as a cron expression, such as “0 8 * * MON-FRI”, or as an interval. Conditions say who of the
    audience is meant.
    """

    class OnMissed(models.TextChoices):
        RUN_ONCE = "run_once", _("make up for the last time")
        SKIP = "skip", _("wait for the next time")

    cron = models.CharField(
        _("cron expression"),
        max_length=200,
        blank=True,
        default="",
        validators=[cron.check],
        help_text=_("Minute, hour, day of month, month and day of week, as in “30 9 * * MON-FRI”."),
    )
    interval = models.DurationField(
        _("interval"),
        null=True,
        blank=True,
        validators=[
            MinValueValidator(SHORTEST, _("A minute at least.")),
            MaxValueValidator(LONGEST, _("Ten years at most.")),
        ],
        help_text=_("In place of a cron expression: six hours are “06:00:00”, or “PT6H”."),
    )
    starts_at = models.DateTimeField(
        _("starts at"),
        null=True,
        blank=True,
        help_text=_("Nothing happens before. Intervals are counted from here, or from midnight UTC if it is blank."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        validators=[check_zone],
        help_text=_("Of the cron expression, as in “Europe/Vienna”. Blank: that of the project."),
    )
    audience = models.CharField(
        _("audience"),
        max_length=200,
        choices=audiences,
        default="all",
        error_messages={"invalid_choice": _("There is no audience “%(value)s” here.")},
        help_text=_("To whom it happens."),
    )
    on_missed = models.CharField(
        _("when missed"),
        max_length=8,
        choices=OnMissed.choices,
        default=OnMissed.RUN_ONCE,
        help_text=_("What happens when no worker was there at the time: it is made up for once, or left out."),
    )
    next_at = models.DateTimeField(
        _("next at"),
        null=True,
        editable=False,
        db_index=True,
        help_text=_("When it happens next; null as long as the trigger is not enabled."),
    )

    state_fields: ClassVar[Collection[str]] = ("next_at", "next_times")
    api_example: ClassVar[dict[str, Any]] = {"cron": "30 9 * * MON-FRI", "time_zone": "Europe/Vienna"}

    class Meta:
        verbose_name = _("schedule")
        verbose_name_plural = _("schedules")

    def __str__(self) -> str:
        if self.cron:
            return gettext("schedule “%(cron)s”") % {"cron": self.cron}
        if self.interval:
            return gettext("every %(interval)s") % {"interval": in_words(self.interval)}
        return super().__str__()

    @classmethod
    def admin_initkwargs(cls) -> dict[str, Any]:
        def next_times(inline: Any, event: ScheduleEvent) -> str:
            times = [timezone.localtime(moment, event.zone) for moment in event.next_times] if event.pk else []
            return ", ".join(f"{moment:%Y-%m-%d %H:%M %Z}" for moment in times) or "–"

        next_times.short_description = _("next times")  # type: ignore[attr-defined]
        return {"readonly_fields": ["next_times"], "next_times": next_times}

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any, **options: Any) -> ScheduleEvent:
        event = super().from_db(db, field_names, values, **options)
        if not event.get_deferred_fields():
            event._planned = event._plan
        return event

    @property
    def next_times(self) -> list[datetime]:
        """The next five times, whether or not the trigger is enabled."""
        return list(islice(self.times(timezone.now()), 5))

    @property
    def zone(self) -> tzinfo:
        return ZoneInfo(self.time_zone) if self.time_zone else timezone.get_default_timezone()

    def times(self, after: datetime) -> Iterator[datetime]:
        """The moments later than ``after`` at which the event happens, in UTC; none if what is written is not valid."""
        if self.starts_at is not None:
            after = max(after, self.starts_at - timedelta(microseconds=1))
        try:
            yield from self._every(self.interval, after) if self.interval else self._by_cron(after)
        except (CronSimError, LookupError, ValueError, OSError, OverflowError):
            return

    def clean(self) -> None:
        super().clean()
        if self.cron and self.interval:
            raise ValidationError({"interval": _("Give either a cron expression or an interval, not both.")})
        if not self.cron and not self.interval:
            raise ValidationError({"cron": _("Give either a cron expression or an interval.")})

    def save(self, *args: Any, **options: Any) -> None:
        """Write it; when it happens next is worked out anew if the times are others than before."""
        if not self.trigger.is_enabled:
            self.next_at = None
        elif self.next_at is None or self._plan != self._planned:
            self.next_at = next(self.times(timezone.now()), None)
        if options.get("update_fields") is not None:
            options["update_fields"] = {*options["update_fields"], "next_at"}
        super().save(*args, **options)
        self._planned = self._plan

    @classmethod
    def sweep(cls, now: datetime) -> None:
        """Fire each schedule whose time has come, once for each time, whoever else does the same."""
        using = router.db_for_write(cls)
        due = cls.objects.using(using).filter(next_at__lte=now).order_by("next_at")
        for event_id, trigger_id in due.values_list("pk", "trigger"):
            try:
                while cls._tick(event_id, trigger_id, now, using):
                    pass
            except Exception:
                logger.exception("Schedule %s was not fired; the next sweep does it", event_id)

    @classmethod
    def _tick(cls, event_id: int, trigger_id: int, now: datetime, using: str) -> bool:
        """
        Whether the schedule was due and has been moved on, fired or not.

        Trigger before event, as whoever edits them: so neither waits for the other for ever.
        """
        with transaction.atomic(using=using):
            triggers: Any = Trigger.objects.using(using)
            trigger = (
                triggers.non_polymorphic()
                .select_for_update(no_key=True, skip_locked=True)
                .filter(pk=trigger_id)
                .first()
            )
            event = cls.objects.using(using).filter(pk=event_id, next_at__lte=now).first() if trigger else None
            if event is None or event.next_at is None:
                return False
            tick, upcoming = event._due(event.next_at, now)
            mine = cls.objects.using(using).filter(pk=event_id, next_at=event.next_at)
            if not mine.update(next_at=upcoming):
                return False
            if tick is not None and trigger.is_active:
                event._fire(tick)
        return True

    def _fire(self, tick: datetime) -> None:
        try:
            fire(
                self,
                audience=self.audience,
                context={"scheduled_for": tick},
                key=f"{self.pk}:{tick.isoformat()}",
                source="schedule",
                occurred_at=tick,
            )
        except KeyConflict:  # the clock was set back, and the event edited since
            logger.warning("Schedule %s was fired at %s before", self.pk, tick.isoformat())

    def _due(self, first: datetime, now: datetime) -> tuple[datetime | None, datetime | None]:
        """The time to fire for, if any, and the one after it."""
        if self.on_missed == self.OnMissed.RUN_ONCE:
            tick: datetime | None = self._latest(first, now)
        elif first >= now - GRACE:
            tick = first
        else:
            tick = next(self._until(now, after=now - GRACE - timedelta(microseconds=1)), None)
        return tick, next(self.times(tick or now), None)

    def _latest(self, first: datetime, now: datetime) -> datetime:
        for window in _WINDOWS:
            if now - window <= first:
                break
            if found := list(self._until(now, after=now - window)):
                return found[-1]
        return max(self._until(now, after=first), default=first)

    def _until(self, now: datetime, after: datetime) -> Iterator[datetime]:
        return takewhile(partial(_is_past, now), self.times(after))

    def _every(self, interval: timedelta, after: datetime) -> Iterator[datetime]:
        if interval < SHORTEST:
            return iter(())
        start = self.starts_at or EPOCH
        first = (after - start) // interval + 1
        return (start + number * interval for number in count(first))

    def _by_cron(self, after: datetime) -> Iterator[datetime]:
        return cron.times(self.cron, cron.in_zone(after, self.zone)) if self.cron else iter(())

    @property
    def _plan(self) -> tuple[Any, ...]:
        return self.cron, self.interval, self.starts_at, self.time_zone

    _planned: tuple[Any, ...] = ()


def _is_past(now: datetime, moment: datetime) -> bool:
    return moment <= now


@receiver(post_save)
def _plan_with_the_trigger(instance: Any, using: str, update_fields: Any = None, raw: bool = False, **_: Any) -> None:
    """A trigger that is enabled has its schedules go on from now; what was meanwhile is not made up for."""
    if raw or not isinstance(instance, Trigger) or (update_fields and "is_enabled" not in update_fields):
        return
    schedules = ScheduleEvent.objects.using(using).filter(trigger=instance.pk)
    if not instance.is_enabled:
        schedules.filter(next_at__isnull=False).update(next_at=None)
        return
    for schedule in schedules.filter(next_at=None):
        schedule.trigger = instance
        schedule.save(using=using, update_fields=["next_at"])
