"""
Event-based business logic that product people set up: when an event happens to a user, if the
conditions hold, do the actions.

Start at :mod:`triggers.firing`; ``docs/architecture.md`` shows the way from there. Importing this
package imports no Django, so that a settings module may import it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from triggers.execution import current_step as current_step
    from triggers.firing import afire as afire
    from triggers.firing import fire as fire

__version__ = "2.0.0.dev0"
__all__ = ["afire", "current_step", "fire"]

_PUBLIC = {"fire": "triggers.firing", "afire": "triggers.firing", "current_step": "triggers.execution"}


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
