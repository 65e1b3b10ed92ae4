"""What Celery beat does every minute (see CELERY_BEAT_SCHEDULE)."""

from celery import shared_task
from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef

from tests.app.models import ClockEvent, uncompleted_tasks
from triggers import fire


@shared_task
def fire_clock_event() -> None:
    """Fire `ClockEvent` for everybody who has something to do."""
    users = get_user_model()._default_manager.filter(Exists(uncompleted_tasks().filter(user=OuterRef("pk"))))
    fire(ClockEvent, users=users)
