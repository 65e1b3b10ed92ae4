"""``manage.py triggers_export``: write what is set up as a file to keep."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from triggers_api.configuration.applying import export
from triggers_api.configuration.files import as_json, as_yaml


class Command(BaseCommand):
    help = "Write all triggers, as triggers_apply takes them, to the standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="in JSON (in YAML)")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write((as_json if options["json"] else as_yaml)(export()), ending="")
