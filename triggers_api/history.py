"""What callers change is written into the history that the admin shows, where the project has the admin."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from rest_framework.request import Request

from triggers.models import Trigger

ADDED, CHANGED, DELETED = 1, 2, 3  # as the admin numbers them


def log(request: Request, trigger: Trigger, action: int, message: str) -> None:
    """The trigger's history says that the caller did this."""
    if not apps.is_installed("django.contrib.admin"):
        return
    from django.contrib.admin.models import LogEntry

    entries: Any = LogEntry.objects
    entries.log_actions(request.user.pk, [trigger], action, message, single_object=True)
