from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from todo.models import HasEmailCondition, IsActiveCondition, SendMessageAction, TaskCompletedEvent
from triggers.models import ActionCountCondition, Trigger


class Command(BaseCommand):
    help = "Make people, and two triggers: one acts at once and on some, one later and on everybody."

    def handle(self, *args: Any, **options: Any) -> None:
        for number in range(5):
            User.objects.create(username=f"person{number}", email=f"person{number}@example.com")
        User.objects.create(username="inactive", email="inactive@example.com", is_active=False)
        User.objects.create(username="unknown")

        at_once = Trigger.objects.create(name="at once", is_enabled=True)
        TaskCompletedEvent.objects.create(trigger=at_once)
        IsActiveCondition.objects.create(trigger=at_once)
        HasEmailCondition.objects.create(trigger=at_once)
        ActionCountCondition.objects.create(trigger=at_once, limit=1_000_000)
        SendMessageAction.objects.create(trigger=at_once, text="at once")

        later = Trigger.objects.create(name="later", is_enabled=True)
        TaskCompletedEvent.objects.create(trigger=later, delay=timedelta(seconds=3))
        SendMessageAction.objects.create(trigger=later, text="later")
