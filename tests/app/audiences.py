"""To whom an event can happen by a name: see `TRIGGERS_AUDIENCES` in the settings."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet


def task_owners() -> QuerySet[Any]:
    """Everybody who has a task, completed or not."""
    return get_user_model()._default_manager.filter(tasks__isnull=False)
