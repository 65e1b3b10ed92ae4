"""``manage.py triggers_prune``: delete what ended long ago."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from triggers import clock, conf
from triggers.pruning import prunable, prune

_WIDTH = 30


class Command(BaseCommand):
    help = "Delete runs that ended, and occurrences without runs, longer than TRIGGERS_RETENTION ago."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, help="keep this many days instead of TRIGGERS_RETENTION")
        parser.add_argument("--dry-run", action="store_true", help="say how much there is, and delete nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["days"] is not None and options["days"] < 0:
            raise CommandError("--days must not be negative.")
        retention = conf.retention() if options["days"] is None else timedelta(days=options["days"])
        if retention is None:
            raise CommandError("TRIGGERS_RETENTION is None: everything is kept. Name a number of --days.")
        using = clock.alias()
        runs, occurrences = prunable(clock.Clock(using).now() - retention, using)
        if options["dry_run"]:
            self.stdout.write(f"{runs.count()} runs ended longer than {retention.days} days ago.")
            return
        # Occurrences that lose their last run are found only then: the total grows with them.
        total = runs.count() + occurrences.count()
        done = 0
        for deleted in prune(retention):
            done += deleted
            self._show(done, max(total, done))
        self.stdout.write(f"Deleted {done} runs and occurrences older than {retention.days} days.")

    def _show(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            filled = _WIDTH * done // total
            end = "\n" if done == total else ""
            self.stderr.write(f"\r[{'#' * filled}{' ' * (_WIDTH - filled)}] {done} of {total}", ending=end)
