"""System checks of the engines; each hint names the fix."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Final

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.db import DatabaseError

from triggers import clock, conf, engines
from triggers.loading import rows
from triggers.models import Trigger

_HOST: Final = re.compile(r"[^\s:/]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")
_EXAMPLES: Final[dict[str, str | bool]] = {
    "TEMPORAL_HOST": "localhost:7233",
    "TEMPORAL_NAMESPACE": "triggers",
    "TEMPORAL_TASK_QUEUE": "triggers",
    "TEMPORAL_SEARCH_ATTRIBUTES": False,
}


def check_engines(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """The default engine can work, and what is set for Temporal makes sense."""
    return [*_temporal_settings(), *_default_engine()]


def check_engines_of_triggers(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[checks.CheckMessage]:
    """No trigger names an engine that is not there."""
    if (alias := clock.alias()) not in (databases or ()):
        return []
    others = rows(Trigger, alias).exclude(engine="").exclude(engine__in=engines.names()).order_by("pk")
    try:
        named = list(others.values_list("name", "engine"))
    except DatabaseError:
        return []  # not migrated yet
    return [
        checks.Warning(
            f"The trigger “{name}” names the engine {engine}, which is not installed: its runs go to "
            f"{engines.default_name()}.",
            hint=(_INSTALL if engine == "temporal" else "") + f"The engines are {', '.join(engines.names())}.",
            id="triggers.W009",
        )
        for name, engine in named
    ]


_INSTALL: Final = 'pip install "dj-triggers[temporal]". '


def _temporal_settings() -> Iterator[checks.CheckMessage]:
    for name in dir(settings):
        if name.startswith(conf.TEMPORAL_PREFIX) and name not in _EXAMPLES:
            # Others may have settings with this prefix: only what looks like one of ours is meant to be one.
            for close in get_close_matches(name, _EXAMPLES, n=1, cutoff=0.8):
                yield checks.Warning(f"There is no setting {name}.", hint=f"Did you mean {close}?", id="triggers.W002")
    for name, example in _EXAMPLES.items():
        value = getattr(settings, name, example)
        if type(value) is not type(example) or (isinstance(value, str) and not value.strip()):
            kind = "text" if isinstance(example, str) else "bool"
            hint = f"Write {name} = {example!r}."
            yield checks.Error(f"{name} must be a {kind}, not {value!r}.", hint=hint, id="triggers.E004")
        elif name == "TEMPORAL_HOST" and not _HOST.fullmatch(str(value)):
            yield checks.Error(
                f"TEMPORAL_HOST must be a host and a port, not {value!r}.",
                hint='Write TEMPORAL_HOST = "localhost:7233". For TLS set TEMPORAL_TLS in the environment.',
                id="triggers.E010",
            )
    if conf.use_temporal() and getattr(settings, "CELERY_TASK_ALWAYS_EAGER", False):
        yield checks.Warning(
            "CELERY_TASK_ALWAYS_EAGER runs nothing at once where Temporal is the engine.",
            hint="Set TRIGGERS_USE_TEMPORAL = False in the settings of your tests.",
            id="triggers.W010",
        )


def _default_engine() -> Iterator[checks.CheckMessage]:
    if not engines.is_installed(engines.default_name()):
        yield checks.Error(
            "TRIGGERS_USE_TEMPORAL is True, and temporalio is not installed: what is fired waits in the database.",
            hint=_INSTALL + "Or set TRIGGERS_USE_TEMPORAL = False.",
            id="triggers.E011",
        )
    elif problem := engines.default().problem():
        message, hint = problem
        yield checks.Warning(message, hint=hint, id="triggers.W004")
