"""This version: what the benchmark asks of it."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery import current_app
from django.contrib.auth.models import Permission, User
from django.db.models import Count, Max
from growth import fill, plans, stored
from rest_framework.authtoken.models import Token
from scene import empty, forget_triggers, people, timed, touched, trigger, untouch
from shop.tasks import touch_one

from triggers import fire
from triggers.models import Activity, Step

__all__ = [
    "fill",
    "fire_at_all",
    "fire_for_each",
    "forget",
    "forget_triggers",
    "people",
    "performed",
    "plans",
    "publish_touches",
    "purge",
    "stored",
    "token",
    "touched",
    "trigger",
    "untouch",
]


def fire_for_each(number: int, event: str = "shop.OrderPlaced") -> dict[str, Any]:
    """An event for each of the first users."""
    return timed(partial(fire, event, users=key, context={"order": key}) for key in range(1, number + 1))


def fire_at_all(number: int, event: str = "shop.OrderPlaced", *, again: bool = False) -> dict[str, Any]:
    """One event at the first users; ``again``, though they had one before, and limits that keep them out."""
    if again:
        Activity.objects.update(action_count=0, last_action_datetime=None)
    return timed([partial(fire, event, users=User.objects.filter(pk__lte=number), context={"order": 1})])


def performed() -> dict[str, Any]:
    """How many actions were recorded, and when the last was."""
    found = Step.objects.filter(status="succeeded").aggregate(number=Count("pk"), last=Max("ended_at"))
    return {"number": found["number"], "last": found["last"] and found["last"].timestamp()}


def publish_touches(number: int) -> dict[str, Any]:
    """A bare task for each of the first users."""
    return timed(partial(touch_one.delay, key) for key in range(1, number + 1))


def forget() -> None:
    empty("triggers_occurrence", "triggers_run", "triggers_step", "triggers_activity", "shop_note")


def purge() -> None:
    """What waits in the broker is dropped."""
    current_app.control.purge()


def token() -> str:
    """The token of a user who may fire events, and may do nothing else."""
    user, _ = User.objects.get_or_create(username="shop")
    user.user_permissions.add(Permission.objects.get(codename="fire_event"))
    return Token.objects.get_or_create(user=user)[0].key
