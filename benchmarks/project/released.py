"""dj-triggers 1.0.1: what the benchmark asks of it."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Max
from scene import empty, forget_triggers, people, timed, trigger
from shop.models import OrderPlaced

from triggers.models import Activity

__all__ = ["fire_at_all", "fire_for_each", "forget", "forget_triggers", "people", "performed", "trigger"]


def fire_for_each(number: int) -> dict[str, Any]:
    """An event for each of the first users, as the README of 1.0.1 has it."""
    return timed(partial(_fire_single, key) for key in range(1, number + 1))


def _fire_single(key: int) -> None:
    for event in OrderPlaced.objects.all():
        event.fire_single(key, order=key)


def fire_at_all(number: int) -> dict[str, Any]:
    """One event at the first users."""
    return timed([partial(_fire, number)])


def _fire(number: int) -> None:
    for event in OrderPlaced.objects.all():
        event.fire(User.objects.filter(pk__lte=number), order=1)


def performed() -> dict[str, Any]:
    """How many actions were recorded, and when the last was."""
    found = Activity.objects.filter(action_count__gt=0).aggregate(number=Count("pk"), last=Max("last_action_datetime"))
    return {"number": found["number"], "last": found["last"] and found["last"].timestamp()}


def forget() -> None:
    empty("triggers_activity")
