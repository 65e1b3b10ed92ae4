"""drf-spectacular's settings, which are the project's, put aside for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any, Final

from drf_spectacular.settings import IMPORT_STRINGS, SPECTACULAR_DEFAULTS, SpectacularSettings, spectacular_settings

#: What makes our operations come out right whatever the project has set.
OPERATIONS: Final = {
    "COMPONENT_NO_READ_ONLY_REQUIRED": False,
    "COMPONENT_SPLIT_PATCH": True,
    "COMPONENT_SPLIT_REQUEST": True,
    "DEFAULT_QUERY_MANAGER": "objects",
    "DISABLE_DOCSTRING_DESCRIPTIONS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": True,
    "GENERIC_ADDITIONAL_PROPERTIES": "dict",
}
#: What our own document is made with beside.
DOCUMENT: Final = {"OAS_VERSION": "3.1.0", "POSTPROCESSING_HOOKS": [], "PREPROCESSING_HOOKS": []} | OPERATIONS

_lock: Final = RLock()


@contextmanager
def tuned(values: dict[str, Any]) -> Iterator[None]:
    """Within, drf-spectacular has these settings; one thread at a time."""
    with _lock:
        before = {name: getattr(spectacular_settings, name) for name in values}
        vars(spectacular_settings).update(values)
        try:
            yield
        finally:
            vars(spectacular_settings).update(before)


@contextmanager
def own_settings(**values: Any) -> Iterator[None]:
    """Within, drf-spectacular has its defaults, and what we set; nothing is left of what the project has set."""
    defaults: Any = SPECTACULAR_DEFAULTS
    chosen: Any = DOCUMENT | values
    own = SpectacularSettings(chosen, defaults, IMPORT_STRINGS)
    with tuned({name: getattr(own, name) for name in defaults}):
        yield
