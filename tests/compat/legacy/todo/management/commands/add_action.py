from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from todo.models import SendMessageAction
from triggers.models import Trigger


class Command(BaseCommand):
    help = "Give the trigger one more action."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trigger")

    def handle(self, *args: Any, trigger: str, **options: Any) -> None:
        SendMessageAction.objects.create(trigger=Trigger.objects.get(name=trigger), text="One more")
