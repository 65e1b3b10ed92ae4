"""Cron expressions, by the rules of Debian's cron."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Final

from cronsim import CronSim, CronSimError
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

#: So many fields has an expression; cronsim takes one of seconds too, which nothing here is fast enough for.
FIELDS: Final = 5


def check(expression: str) -> None:
    """Raise ValidationError, which says what is wrong, unless there is a next time."""
    if len(expression.split()) != FIELDS:
        raise ValidationError(
            _("Write five fields: minute, hour, day of month, month, day of week, as in “30 9 * * MON-FRI”."), "cron"
        )
    try:
        found = next(times(expression, timezone.now()), None)
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        raise ValidationError(
            _("The field “%(field)s” cannot be used, or never comes in these months."), "cron", {"field": field}
        ) from None
    if found is None:
        raise ValidationError(_("There is no such day: it would never be time."), "cron")


def times(expression: str, after: datetime) -> Iterator[datetime]:
    """
    The moments later than ``after``, in UTC, at which clocks in its time zone show what the expression says.

    A fixed time of day comes once on each day: one that clocks skip comes when they have jumped, and of one that
    they show twice the first is meant. Where the minute or the hour begins with a star it follows the clocks.
    """
    last = after.astimezone(UTC)
    for moment in CronSim(expression, after):
        tick = moment.astimezone(UTC)
        if tick > last:  # counted from within an hour that comes twice, it may be of the first
            last = tick
            yield tick


def in_zone(moment: datetime, zone: tzinfo) -> datetime:
    """The moment as clocks there show it; cronsim knows UTC by identity."""
    return moment.astimezone(UTC if str(zone) == "UTC" else zone)
