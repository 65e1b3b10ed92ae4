"""What the scenarios are made of."""

from datetime import timedelta
from typing import Any

from celery import Celery

from tests.compat.projects.notes.models import Note, SomethingHappenedEvent, WriteNoteAction
from triggers.models import ActionCountCondition, Run, Trigger
from triggers.running import advance


def a_trigger(*, limit: int = 100, delay: timedelta = timedelta()) -> Trigger:
    trigger = Trigger.objects.create(name="project", is_enabled=True)
    SomethingHappenedEvent.objects.create(trigger=trigger, delay=delay)
    ActionCountCondition.objects.create(trigger=trigger, limit=limit)
    WriteNoteAction.objects.create(trigger=trigger)
    return trigger


def celery() -> Celery:
    """The project's Celery application, as its settings say."""
    app = Celery("project", set_as_current=True)
    app.config_from_object("django.conf:settings", namespace="CELERY")
    return app


def perform_all() -> None:
    """What the workers would do."""
    advance(list(Run.objects.open().values_list("pk", flat=True)))


def notes() -> list[tuple[Any, ...]]:
    return list(Note.objects.order_by("pk").values_list("user_key", "text"))
