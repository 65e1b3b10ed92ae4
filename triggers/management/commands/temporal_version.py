from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from importlib.util import find_spec
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triggers import conf
from triggers.exceptions import TriggersError


class Command(BaseCommand):
    help = (
        "Says which versions of the workers' code Temporal knows, and which of them still have runs under way; "
        "or makes one the current one, with which runs begin from now on."
    )
    requires_system_checks = (conf.CHECKS,)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--deployment-name", required=True, help="as the workers were given it")
        parser.add_argument("--make-current", metavar="BUILD_ID", help="the version that runs are to begin with")
        parser.add_argument(
            "--timeout",
            type=float,
            default=60,
            help="how many seconds to wait for a worker of the version (%(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if find_spec("temporalio") is None:
            raise CommandError('temporalio is not installed: pip install "dj-triggers[temporal]"')
        from triggers.engines.temporal import versions

        name, build_id = options["deployment_name"], options["make_current"]
        try:
            if build_id:
                asyncio.run(versions.make_current(name, build_id, options["timeout"]))
            known = asyncio.run(versions.versions(name))
        except TriggersError as refusal:
            raise CommandError(str(refusal)) from refusal
        if not known:
            raise CommandError(f"Temporal knows no deployment “{name}”: no worker of it has been there.")
        for known_build_id, status in known.items():
            self.stdout.write(f"{known_build_id}  {status}")
