"""
Engines decide *when* runs advance. An engine is imported when it is first used.

Runs keep the engine they were written with; ``Trigger.engine`` (blank: the default) is for new runs. Importing this
package imports no Django: Temporal's workflows live below it.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triggers.engines.base import Engine
    from triggers.models import Trigger

_CLASSES = {
    "celery": ("triggers.engines.celery", "CeleryEngine"),
    "temporal": ("triggers.engines.temporal.engine", "TemporalEngine"),
}


@cache
def is_installed(name: str) -> bool:
    """Whether there is an engine of that name, and what it needs is installed."""
    return name in _CLASSES and (name != "temporal" or find_spec("temporalio") is not None)


def names() -> list[str]:
    """The names that ``Trigger.engine`` may have."""
    return [name for name in _CLASSES if is_installed(name)]


@cache
def get(name: str) -> Engine:
    """The engine of that name. Raises KeyError for a name that no engine has, ImportError where it is not installed."""
    module, attribute = _CLASSES[name]
    engine: Engine = getattr(import_module(module), attribute)()
    return engine


def default_name() -> str:
    """The engine of triggers that name none."""
    from triggers import conf

    return "temporal" if conf.use_temporal() else "celery"


def default() -> Engine:
    return get(default_name())


def name_for(trigger: Trigger) -> str:
    """The engine of the trigger's new runs: the default where its own is not installed."""
    return trigger.engine if is_installed(trigger.engine) else default_name()


def ready() -> None:
    """Called once the apps are loaded: Celery, where the project has it set up, knows the tasks of this app."""
    if default_name() == "celery" or "celery" in sys.modules:
        # Whether or not the project autodiscovers them, and whichever engine new runs have.
        get("celery").ready()
