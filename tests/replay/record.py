"""
``python -m tests.replay.record``: the histories of workflows of every shape, recorded anew for this release, with a
database, a server and a worker of their own.
"""

import os
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from django.core.management import call_command
from django.test import override_settings
from temporalio.client import WorkflowHistory

from tests.replay import histories
from tests.servers.temporal import NAMESPACE, Temporal

SETTINGS = {
    "TRIGGERS_USE_TEMPORAL": True,
    "TEMPORAL_NAMESPACE": NAMESPACE,
    "TEMPORAL_TASK_QUEUE": "triggers",
    # The activity of a chunk ends after half a lease: after each run that takes longer.
    "TRIGGERS_CHUNK_SIZE": 1,
    "TRIGGERS_LEASE": timedelta(seconds=2),
    # The sweep would signal to workflows that a busy machine is late with.
    "TRIGGERS_SWEEP_INTERVAL": timedelta(hours=1),
}
#: With so many events a workflow is continued as a new one. Shapes that are not to be have fewer.
LONG_HISTORY = 24


def record(folder: Path) -> dict[str, WorkflowHistory]:
    """
    The histories by the names of their shapes, numbered where a workflow was continued as a new one. Django is set up,
    and its database is for this alone.
    """
    from tests.replay.shapes import SHAPES, executions
    from tests.servers.worker import environment, temporal_worker
    from triggers.engines.temporal import client

    recorded: dict[str, WorkflowHistory] = {}
    server = Temporal(folder, dynamic_config={"limit.historyCount.suggestContinueAsNew": str(LONG_HISTORY)})
    with override_settings(**SETTINGS, TEMPORAL_HOST=server.host):
        client.forget()
        worker = temporal_worker(log=folder / "worker.log", env=environment(os.environ["CELERY_BROKER_URL"], folder))
        server.start()
        try:
            worker.start()
            for shape in SHAPES:
                found = executions(shape(folder))
                name = shape.__name__
                names = [name] if len(found) == 1 else [f"{name}-{number + 1}" for number in range(len(found))]
                recorded |= dict(zip(names, found, strict=True))
        except Exception:
            print(worker.output())
            raise
        finally:
            worker.kill()
            server.stop()
    return recorded


def main() -> None:
    with TemporaryDirectory(prefix="dj-triggers-replay-") as name:
        folder = Path(name)
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/db.sqlite3"
        os.environ["CELERY_BROKER_URL"] = f"filesystem://{folder}/broker"
        django.setup()
        call_command("migrate", verbosity=0)
        recorded = record(folder)
    histories.save(recorded, histories.RELEASE)
    print(f"{len(recorded)} histories are in {histories.RELEASE}.")


if __name__ == "__main__":
    main()
