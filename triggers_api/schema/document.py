"""The whole OpenAPI document of the API as this project has it."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from django.conf import settings
from django.core.signals import setting_changed
from django.utils import translation
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from triggers import __version__
from triggers_api.schema.tuning import own_settings

DESCRIPTION: Final = """\
When an event happens to a user, if the conditions hold, do the actions.

Find out which types of components there are, create a trigger of them, enable it, fire its event, and read what became
of it. Refusals are problems as in RFC 9457, each with a stable `code`. Moments carry their offset from UTC, durations
are ISO 8601 in days, hours, minutes and seconds.
"""

TAGS: Final = [
    {"name": "types", "description": "What triggers can be made of here."},
    {"name": "triggers", "description": "What should happen: events, conditions and ordered actions."},
    {"name": "configuration", "description": "All that is set up, as one document to keep and to apply."},
    {"name": "firing", "description": "To say that events happened, and to ask what they would do."},
    {"name": "occurrences", "description": "What was fired."},
    {"name": "runs", "description": "What was done for whom, step by step, or why nothing was."},
    {"name": "activities", "description": "How often and when triggers acted on users: what limits read."},
    {"name": "health", "description": "Whether the service works, for those who watch it."},
]


@cache
def document(mount: str) -> dict[str, Any]:
    """The document of the API where it is mounted; its paths are relative to there."""
    from triggers_api.routes import added
    from triggers_api.urls import urlpatterns

    values = {
        "TITLE": "dj-triggers",
        "VERSION": __version__,
        "DESCRIPTION": DESCRIPTION,
        "TAGS": [*TAGS, *(tag for module in added() for tag in module.tags)],
        "SERVERS": [{"url": mount.rstrip("/") or "/"}],
    }
    with own_settings(**values), translation.override(settings.LANGUAGE_CODE):
        made: dict[str, Any] = SchemaGenerator(patterns=urlpatterns).get_schema(request=None, public=True)
    return made


def warnings() -> list[str]:
    """What drf-spectacular could not make sense of when the last document was made."""
    return [*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache]


setting_changed.connect(lambda **_: document.cache_clear(), weak=False, dispatch_uid="triggers_api.schema")
