"""
The settings of dj-triggers, the only reader of ``django.conf.settings`` in this package.

Every function reads its setting anew, so ``override_settings`` works and nothing is frozen at import.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from django.conf import settings

PREFIX: Final = "TRIGGERS_"

#: Every setting of this package with its default.
DEFAULTS: Final[Mapping[str, Any]] = {
    "TRIGGERS_AUDIENCES": {},
    "TRIGGERS_CHUNK_SIZE": 100,
    "TRIGGERS_ENCRYPTION_KEYS": [],
    "TRIGGERS_HANDOVER_GRACE": timedelta(seconds=30),
    "TRIGGERS_LEASE": timedelta(minutes=2),
    "TRIGGERS_MAX_DEPTH": 10,
    "TRIGGERS_MAX_LOSSES": 3,
    "TRIGGERS_RETENTION": timedelta(days=90),
    "TRIGGERS_SWEEP_INTERVAL": timedelta(seconds=5),
    "TRIGGERS_USE_TEMPORAL": False,
    "TRIGGERS_USER_FIELDS": {
        "id": "pk",
        "username": "username",
        "email": "email",
        "first_name": "first_name",
        "last_name": "last_name",
    },
    "TRIGGERS_USER_TIME_ZONE": "time_zone",
    "TRIGGERS_WEBHOOK_ALLOWED_HOSTS": [],
}

#: The tag of this package's system checks.
CHECKS: Final = "triggers"
TEMPORAL_PREFIX: Final = "TEMPORAL_"

#: Settings that may be None.
MAY_BE_NONE: Final = frozenset({"TRIGGERS_RETENTION"})
#: Every name with the prefix that means something.
KNOWN: Final = frozenset(DEFAULTS)
#: Names with this prefix are the HTTP API's.
API_PREFIX: Final = "TRIGGERS_API_"


def _read(name: str) -> Any:
    return getattr(settings, name, DEFAULTS[name])


def audiences() -> Mapping[str, str]:
    """The named audiences: for each the dotted path of a callable that returns a queryset of users."""
    audiences: Mapping[str, str] = _read("TRIGGERS_AUDIENCES")
    return audiences


def chunk_size() -> int:
    """How many runs travel in one message and are evaluated together."""
    return int(_read("TRIGGERS_CHUNK_SIZE"))


def encryption_keys() -> Sequence[str | bytes]:
    """What secrets are encrypted by: the first for what is written, all for what is read."""
    keys: Sequence[str | bytes] = _read("TRIGGERS_ENCRYPTION_KEYS")
    return keys or [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def handover_grace() -> timedelta:
    """How long a run that was handed to its engine may stay unclaimed before the sweep hands it over again."""
    grace: timedelta = _read("TRIGGERS_HANDOVER_GRACE")
    return grace


def lease() -> timedelta:
    """How long a worker may hold runs without a sign of life before another takes them."""
    lease: timedelta = _read("TRIGGERS_LEASE")
    return lease


def max_depth() -> int:
    """How many times an event may be fired by a run that was itself started by an event, and so on."""
    return int(_read("TRIGGERS_MAX_DEPTH"))


def max_losses() -> int:
    """How many workers may die over one run before it fails with ``worker_lost``."""
    return int(_read("TRIGGERS_MAX_LOSSES"))


def retention() -> timedelta | None:
    """How long ended runs are kept; None is for ever."""
    retention: timedelta | None = _read("TRIGGERS_RETENTION")
    return retention


def sweep_interval() -> timedelta:
    """How often each worker looks for due, abandoned and undelivered work."""
    interval: timedelta = _read("TRIGGERS_SWEEP_INTERVAL")
    return interval


def use_temporal() -> bool:
    """Whether Temporal is the engine of triggers that name none."""
    return bool(_read("TRIGGERS_USE_TEMPORAL"))


def temporal_host() -> str | None:
    """Where Temporal listens, as host and port; None where no setting says so."""
    return getattr(settings, "TEMPORAL_HOST", None)


def temporal_namespace() -> str | None:
    """The namespace of the workflows; None where no setting says so."""
    return getattr(settings, "TEMPORAL_NAMESPACE", None)


def temporal_search_attributes() -> bool:
    """Whether workflows carry the search attributes ``TriggersTrigger`` and ``TriggersUser``."""
    return bool(getattr(settings, "TEMPORAL_SEARCH_ATTRIBUTES", False))


def temporal_task_queue() -> str:
    """The task queue that Temporal workers take their work from."""
    task_queue: str = getattr(settings, "TEMPORAL_TASK_QUEUE", "triggers")
    return task_queue


def user_fields() -> Mapping[str, str]:
    """What expressions and templates may read of users: by name, the dotted path of an attribute."""
    fields: Mapping[str, str] = _read("TRIGGERS_USER_FIELDS")
    return fields


def user_time_zone() -> str:
    """The attribute of users that holds their time zone; dots lead through related objects."""
    return str(_read("TRIGGERS_USER_TIME_ZONE"))


def webhook_allowed_hosts() -> Sequence[str]:
    """The hosts that may be called though their addresses are not public, as they are written in URLs."""
    hosts: Sequence[str] = _read("TRIGGERS_WEBHOOK_ALLOWED_HOSTS")
    return hosts
