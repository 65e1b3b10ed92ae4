"""What expressions and templates see: ``user``, ``context``, ``activity`` and ``now``, as plain values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from functools import reduce
from typing import Any, Final

from django.utils import timezone

from triggers import conf, current_step
from triggers.models import Activity

#: The names that exist everywhere.
NAMES: Final = ("user", "context", "activity", "now")

_PLAIN: Final = (str, bool, int, float, Decimal, dt.datetime, dt.date, dt.time, dt.timedelta, type(None))


def variables(
    user: Any, context: Mapping[str, Any], *, trigger_id: int | None = None, uses: Collection[str] = NAMES
) -> dict[str, Any]:
    """
    Those of the variables that are used, of plain values alone: no object of the project is within reach.

    ``user`` has the fields that TRIGGERS_USER_FIELDS allows, ``context`` what ``perform`` gets apart from the user,
    ``activity`` what this trigger has done to the user so far, which is one query.
    """
    values: dict[str, Callable[[], Any]] = {
        "user": lambda: {name: _field(user, path) for name, path in conf.user_fields().items()},
        "context": lambda: plain({key: value for key, value in context.items() if key != "user"}),
        "activity": lambda: _activity(user, trigger_id),
        "now": _now,
    }
    return {name: value() for name, value in values.items() if name in uses}


def plain(value: Any) -> Any:
    """The value without a class of the project: moments in the project's time zone, anything unknown as its text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, dt.datetime):
        return timezone.localtime(value) if timezone.is_aware(value) else timezone.make_aware(value)
    return value if type(value) in _PLAIN else str(value)


def _field(user: Any, path: str) -> Any:
    """What a dotted path leads to; None where it leads nowhere."""
    try:
        found = reduce(getattr, path.split("."), user)
    except AttributeError:  # also of a related object that does not exist
        return None
    return plain(found() if callable(found) else found)


def _activity(user: Any, trigger_id: int | None) -> dict[str, Any]:
    of_user = Activity._base_manager.using(user._state.db).filter(trigger_id=trigger_id, user_id=user.pk)
    count, last = of_user.values_list("action_count", "last_action_datetime").first() or (0, None)
    return {"action_count": count, "last_action_datetime": plain(last)}


def _now() -> dt.datetime:
    step = current_step()
    return timezone.localtime((step and step.now) or timezone.now())
