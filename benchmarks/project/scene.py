"""What both versions do alike: people, triggers, and emptying tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from shop.models import Touched

from triggers.models import Trigger

SECONDS = {"triggers.ActionFrequencyCondition"}


def people(number: int) -> None:
    """That many users, and for each a row to touch; their keys begin with 1."""
    if User.objects.count() >= number:
        return
    begin = User.objects.count()
    names = [f"person{index}" for index in range(begin, number)]
    User.objects.bulk_create(
        (User(username=name, first_name=name.title(), email=f"{name}@example.com") for name in names), batch_size=5000
    )
    Touched.objects.bulk_create(
        (Touched(user_pk=key) for key in User.objects.filter(pk__gt=begin).values_list("pk", flat=True)),
        batch_size=5000,
    )
    settle()


def trigger(name: str, event: str, conditions: list[Any], action: str, **fields: Any) -> int:
    """A trigger of these components, given by label, conditions with their limit; its key."""
    made = Trigger.objects.create(name=name, is_enabled=True, **fields)
    apps.get_model(event).objects.create(trigger=made)
    for label, limit in conditions:
        values = {} if limit is None else {"limit": timedelta(seconds=limit) if label in SECONDS else limit}
        apps.get_model(label).objects.create(trigger=made, **values)
    apps.get_model(action).objects.create(trigger=made)
    return made.pk


def forget_triggers() -> None:
    empty("triggers_trigger")  # deleting them fails in 1.0.1 where their components are of several classes


def empty(*tables: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
    settle()


def settle() -> None:
    """The planner knows how large the tables are."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def timed(calls: Iterable[Callable[[], Any]]) -> dict[str, Any]:
    """When the first of the calls began, and how long each took."""
    began = time.time()
    seconds = []
    for call in calls:
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return {"began": began, "seconds": seconds}


def touched() -> dict[str, Any]:
    """How many rows were touched, and when the last was."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(touched_at), extract(epoch FROM max(touched_at)) FROM shop_touched")
        number, last = cursor.fetchone()
    return {"number": number, "last": last and float(last)}


def untouch() -> None:
    Touched.objects.update(touched_at=None)
    settle()
