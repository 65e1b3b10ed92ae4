"""A Temporal worker that is there again at once when it has died, as a child of a process that has all code loaded."""

import os
from typing import Any

from tests.servers.processes import die_with_parent
from triggers.engines.temporal import worker  # noqa: F401 - before the forks
from triggers.management.commands import temporal_worker


class Command(temporal_worker.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        while True:
            end_with_this_process = die_with_parent()
            child = os.fork()
            if child == 0:
                end_with_this_process()
                super().handle(*args, **options)
                os._exit(0)
            os.waitpid(child, 0)
