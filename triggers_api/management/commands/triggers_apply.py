"""``manage.py triggers_apply``: make what is set up as a file says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rest_framework.exceptions import APIException

from triggers_api.configuration import reports
from triggers_api.configuration.applying import apply
from triggers_api.configuration.files import FileRefused, read


class Command(BaseCommand):
    help = "Make what is set up as the file says, all of it or nothing. What is so already is not touched."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", help="a file in YAML or JSON, as triggers_export writes them; - is the standard input"
        )
        parser.add_argument("--plan", action="store_true", help="say what would be changed, and change nothing")
        parser.add_argument("--prune", action="store_true", help="delete what the sections of the file do not name")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["file"]
        try:
            document, places = read(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes())
        except OSError as error:
            raise CommandError(f"{name}: {error.strerror}") from None
        except FileRefused as refusal:
            raise CommandError(f"{name}: {refusal}") from None
        try:
            outcome = apply(document, plan=options["plan"], prune=options["prune"])
        except APIException as error:
            raise CommandError("\n".join(reports.refusal(error, document, places, name))) from None
        for line in reports.lines(outcome):
            self.stdout.write(line)
