"""Durations as people say them."""

from __future__ import annotations

from datetime import timedelta

from django.utils.duration import duration_string
from django.utils.timesince import TIME_STRINGS
from django.utils.translation import ngettext


def in_words(duration: timedelta) -> str:
    """The duration, exactly: “2 days, 1 hour”. In digits if it is negative, or has parts of a second."""
    if duration < timedelta() or duration.microseconds:
        return duration_string(duration)
    minutes, seconds = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    counts = {"day": duration.days, "hour": hours, "minute": minutes}
    said = [str(TIME_STRINGS[unit] % {"num": count}) for unit, count in counts.items() if count]
    if seconds or not said:
        said.append(ngettext("%(num)d second", "%(num)d seconds", seconds) % {"num": seconds})
    return ", ".join(said)
