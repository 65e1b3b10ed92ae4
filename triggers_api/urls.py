"""
Where the HTTP API is: a project mounts it by ``path("api/v1/", include("triggers_api.urls"))``.

Every path below the mount is answered here, unknown ones too: where other URLs share the prefix, theirs come
first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path, re_path

from triggers_api.views import FireView, NowhereView, OccurrenceView, RunView

app_name = "triggers_api"


def _paths(route: str, view: Callable[..., Any], name: str) -> list[URLPattern]:
    """The route with and without a slash at its end; the URLs that the API itself writes have it."""
    return [path(f"{route}/", view, name=name), path(route, view)]


urlpatterns = [
    *_paths("fire", FireView.as_view(), "fire"),
    *_paths("occurrences/<uuid:id>", OccurrenceView.as_view(), "occurrence"),
    *_paths("runs/<uuid:id>", RunView.as_view(), "run"),
    re_path("", NowhereView.as_view()),
]
