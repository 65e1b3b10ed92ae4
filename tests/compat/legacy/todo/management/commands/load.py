import time
from pathlib import Path
from random import choice
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandParser

from todo.models import Task


class Command(BaseCommand):
    help = "Have people complete one task after the other until the file is there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("stop", type=Path)

    def handle(self, *args: Any, name: str, stop: Path, **options: Any) -> None:
        people = list(User.objects.all())
        while not stop.exists():
            Task.objects.create(user=choice(people), name=name).complete()
            time.sleep(0.03)
