"""``manage.py temporal_worker`` where it cannot work: it says why, and ends."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from pytest_django import Settings

from tests.servers.gatekeeper import UNAUTHENTICATED, Gatekeeper
from tests.servers.processes import Port
from tests.servers.temporal import Temporal
from tests.servers.worker import ROOT, environment, temporal_worker
from tests.waiting import wait_until
from triggers.engines.temporal import client
from triggers.engines.temporal.engine import TemporalEngine

pytestmark = pytest.mark.django_db(transaction=True)

Refusal = Callable[..., str]


@pytest.fixture
def refusal(tmp_path: Path) -> Refusal:
    """What the command says when it ends at once, which it does with exit code 1."""

    def refusal(*options: str, env: Mapping[str, str] = MappingProxyType({})) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tests.manage", "temporal_worker", *options],
            env={**environment(os.environ["CELERY_BROKER_URL"], tmp_path), **env},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        return done.stderr.strip()

    return refusal


def test_no_server(refusal: Refusal, settings: Settings) -> None:
    settings.TEMPORAL_HOST = f"127.0.0.1:{Port().number}"
    said = refusal()
    assert said.startswith(
        f"CommandError: No Temporal server answers at {settings.TEMPORAL_HOST}. Is it running, and is TEMPORAL_HOST "
        "right? The client says: "
    )
    assert "Connection refused" in said


def test_no_such_namespace(refusal: Refusal, temporal: Temporal, settings: Settings) -> None:
    settings.TEMPORAL_NAMESPACE = "nowhere"
    assert refusal() == (
        f"CommandError: The Temporal server at {temporal.host} has no namespace “nowhere”. Make it (temporal operator "
        "namespace create --namespace nowhere), or name another in TEMPORAL_NAMESPACE."
    )


def test_wrong_credentials(refusal: Refusal, settings: Settings) -> None:
    with Gatekeeper(UNAUTHENTICATED) as server:
        settings.TEMPORAL_HOST = server.host
        assert refusal(env={"TEMPORAL_API_KEY": "wrong", "TEMPORAL_TLS": "false"}) == (
            f"CommandError: The Temporal server at {server.host} does not let this worker in (UNAUTHENTICATED). Check "
            "TEMPORAL_API_KEY or the client certificate, and that they are for the namespace “triggers”."
        )
        client.forget()
        assert TemporalEngine().outage() == "Temporal does not let this process in: it does not know its credentials."


def test_a_profile_that_is_not_there(refusal: Refusal) -> None:
    said = refusal(env={"TEMPORAL_PROFILE": "production", "TEMPORAL_CONFIG_FILE": os.devnull})
    assert said.startswith("CommandError: What the environment says of Temporal cannot be used: ")
    assert "production" in said


def test_search_attributes_that_the_namespace_does_not_have(
    refusal: Refusal, temporal: Temporal, settings: Settings
) -> None:
    settings.TEMPORAL_SEARCH_ATTRIBUTES = True
    assert refusal() == (
        "CommandError: The namespace “triggers” has no search attribute TriggersTrigger and no TriggersUser. Make it "
        "(temporal operator search-attribute create --namespace triggers --name TriggersTrigger --type Keyword --name "
        "TriggersUser --type Keyword), or set TEMPORAL_SEARCH_ATTRIBUTES = False."
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--concurrency", "0"], "--concurrency must be 1 or more."),
        (["--build-id", "7"], "--deployment-name and --build-id are given together, or neither."),
        (["--deployment-name", "shop"], "--deployment-name and --build-id are given together, or neither."),
    ],
)
def test_options_that_make_no_sense(refusal: Refusal, options: list[str], said: str) -> None:
    assert refusal(*options) == f"CommandError: {said}"


def test_the_workers_of_a_task_queue_are_seen(temporal: Temporal, tmp_path: Path) -> None:
    engine = TemporalEngine()
    assert engine.outage() == "No worker takes work from the task queue in Temporal."
    worker = temporal_worker(log=tmp_path / "worker.log", env=environment(os.environ["CELERY_BROKER_URL"], tmp_path))
    worker.start()
    try:
        wait_until(lambda: engine.outage() is None, message=engine.outage)
    finally:
        worker.stop()
    assert worker.exit_code == 0, worker.output()
