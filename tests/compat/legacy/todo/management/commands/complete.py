import json
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from todo.models import Message, Task
from triggers.models import Activity


class Command(BaseCommand):
    help = "Have everybody complete a task that is important and one that is not; say what was sent, and the counts."

    def handle(self, *args: Any, **options: Any) -> None:
        for is_important in (True, False):
            for user in User.objects.order_by("username"):
                Task.objects.create(user=user, name="task", is_important=is_important).complete()
        messages = Message.objects.order_by("user__username", "task", "pk").values_list("user__username", "text")
        activities = Activity.objects.order_by("trigger__name", "user__username")
        counts = activities.values_list("trigger__name", "user__username", "action_count")
        self.stdout.write(json.dumps({"messages": list(messages), "counts": list(counts)}))
