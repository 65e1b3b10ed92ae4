"""The service with Temporal in Celery's place."""

from pathlib import Path

import pytest

from tests.servers.processes import Port
from tests.servers.temporal import NAMESPACE, Temporal
from tests.service.running import Triggers


@pytest.fixture
def environment(temporal_server: Temporal, tmp_path: Path) -> dict[str, str]:
    """A running server, and a task queue of the test's own."""
    temporal_server.start()
    return {
        "TRIGGERS_USE_TEMPORAL": "1",
        "TEMPORAL_HOST": temporal_server.host,
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "TEMPORAL_TASK_QUEUE": f"service-{tmp_path.name}",
    }


def test_everything_runs_in_one_command(triggers: Triggers, environment: dict[str, str]) -> None:
    triggers.serve(env=environment)
    run = triggers.ended(triggers.paste())
    assert run["status"] == "succeeded"
    assert len(triggers.mails) == 1
    assert not triggers.processes(command="celery")
    assert triggers.ready().json["status"] == "ok"
    triggers.stop()


def test_it_says_that_there_is_no_server_and_ends(triggers: Triggers, environment: dict[str, str]) -> None:
    host = f"127.0.0.1:{Port().number}"
    assert triggers.call("serve", "--port", str(triggers.port), env=environment | {"TEMPORAL_HOST": host}) == 1
    assert f"triggers: No Temporal server answers at {host}. Is it running" in triggers.output
    assert "The worker ended with code 1 before it was ready." in triggers.output
    assert "Traceback" not in triggers.output
    assert not triggers.processes()


def test_the_worker_of_either_engine_runs_alone(triggers: Triggers, environment: dict[str, str]) -> None:
    assert triggers.call("migrate", env=environment) == 0
    triggers.spawn("worker", env=environment)
    triggers.wait_for_output("Working for the task queue")
    assert triggers.processes(command="triggers_api.service.temporal")
    triggers.stop()
    triggers.spawn("worker", "--engine", "celery", env=environment)
    triggers.wait_for_output("Starting the worker.")
    triggers.kill()
