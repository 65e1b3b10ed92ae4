"""The Celery tasks, where Celery's autodiscovery looks for them."""

from __future__ import annotations

from typing import Any

from celery import Task, shared_task

from triggers import firing
from triggers.engines.celery import advance, expand, sweep
from triggers.models import Event

__all__ = ["advance", "expand", "handle_event", "sweep"]


@shared_task(bind=True, acks_late=True, ignore_result=True)
def handle_event(self: Task[Any, Any], /, event_pk: Any, user_pk: Any, **context: Any) -> None:
    """
    Perform the event's actions for the user; messages that dj-triggers left in the broker are of this task.

    The message's id is the dedupe key, so that a message that is delivered twice is performed once.
    """
    event = Event.objects.get(pk=event_pk)
    if type(event).handle is not Event.handle:
        event.handle(user_pk, **context)
    else:
        firing.handle(event, user_pk, context, key=self.request.id)
