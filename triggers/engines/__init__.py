"""
Engines decide *when* runs advance. An engine is imported when it is first used.

Runs keep the engine they were written with; ``Trigger.engine`` (blank: the default) is for new runs.
"""

from __future__ import annotations

from functools import cache

from django.utils.module_loading import import_string

from triggers.engines.base import Engine
from triggers.models import Trigger

_CLASSES = {"celery": "triggers.engines.celery.CeleryEngine"}


def names() -> list[str]:
    """The names that ``Trigger.engine`` may have."""
    return list(_CLASSES)


@cache
def get(name: str) -> Engine:
    """The engine of that name. Raises KeyError for a name that no engine has."""
    engine: Engine = import_string(_CLASSES[name])()
    return engine


def default_name() -> str:
    """The engine of triggers that name none."""
    return "celery"


def default() -> Engine:
    return get(default_name())


def name_for(trigger: Trigger) -> str:
    """The engine of the trigger's new runs."""
    return trigger.engine if trigger.engine in _CLASSES else default_name()
