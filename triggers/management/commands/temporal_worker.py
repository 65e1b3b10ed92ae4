from __future__ import annotations

from argparse import ArgumentParser
from importlib.util import find_spec
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from triggers import conf
from triggers.exceptions import TriggersError


class Command(BaseCommand):
    help = "Performs triggers that Temporal is the engine of, until it is told to stop (SIGTERM, Ctrl-C)."
    requires_system_checks = (conf.CHECKS,)  # others load the project's URLs, of which a worker has no use

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--task-queue", help="where to take work from (the setting TEMPORAL_TASK_QUEUE)")
        parser.add_argument(
            "--concurrency",
            type=int,
            default=10,
            help="how many activities at a time, each with a database connection (%(default)s)",
        )
        parser.add_argument("--deployment-name", help="the worker deployment that this worker is a part of")
        parser.add_argument("--build-id", help="the version of the code, within the deployment")

    def handle(self, *args: Any, **options: Any) -> None:
        if find_spec("temporalio") is None:
            raise CommandError('temporalio is not installed: pip install "dj-triggers[temporal]"')
        if options["concurrency"] < 1:
            raise CommandError("--concurrency must be 1 or more.")
        if bool(options["deployment_name"]) != bool(options["build_id"]):
            raise CommandError("--deployment-name and --build-id are given together, or neither.")
        from temporalio.common import WorkerDeploymentVersion

        from triggers.engines.temporal import worker

        version = None
        if options["build_id"]:
            version = WorkerDeploymentVersion(options["deployment_name"], options["build_id"])
        task_queue = options["task_queue"] or conf.temporal_task_queue()
        given = worker.Options(task_queue, options["concurrency"], version)
        try:
            worker.run(given, say=self.stdout.write)
        except TriggersError as refusal:
            raise CommandError(str(refusal)) from refusal
