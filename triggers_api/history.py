"""What callers change is written into the history that the admin shows, where the project has the admin."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import Model
from rest_framework.request import Request

ADDED, CHANGED, DELETED = 1, 2, 3  # as the admin numbers them


def log(request: Request, row: Model, action: int, message: str) -> None:
    """The history of the row says that the caller did this."""
    if not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import LogEntry

    entries: Any = LogEntry.objects
    entries.log_actions(request.user.pk, [row], action, message, single_object=True)
