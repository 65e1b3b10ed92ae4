"""What time it is where a user is."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, time, timedelta, tzinfo
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ObjectDoesNotExist
from django.utils import timezone

from triggers import conf

logger = logging.getLogger(__name__)


def zone_of(user: Any) -> tzinfo:
    """The user's time zone, by the attribute that TRIGGERS_USER_TIME_ZONE names; else that of the project."""
    try:
        named = attrgetter(conf.user_time_zone())(user)
    except (AttributeError, ObjectDoesNotExist):
        return timezone.get_default_timezone()
    if isinstance(named, tzinfo):
        return named
    if not named:
        return timezone.get_default_timezone()
    try:
        return ZoneInfo(str(named))
    except (LookupError, ValueError, OSError):
        logger.warning("The time zone of user %s is not known: that of the project is used", user.pk)
        return timezone.get_default_timezone()


def next_time(of_day: time, zone: tzinfo, after: datetime) -> datetime:
    """
    The first moment later than ``after`` at which clocks there show that time of day.

    A time that clocks skip is as much later as they jump; of a time that they show twice the first is meant. So it
    comes once on each day.
    """
    day = after.astimezone(zone).date()
    while True:
        moment = datetime.combine(day, of_day, zone).astimezone(UTC)
        if moment > after:
            return moment
        day += timedelta(days=1)
