import asyncio
import json
import os
import subprocess
import sys
import time
from base64 import b64decode
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from tests.acceptance.scenario import a_trigger, people
from tests.probe.models import ProbeEvent, RecordEffectAction
from tests.servers.worker import ROOT, environment
from tests.waiting import SLACK, wait_until
from triggers import afire, fire
from triggers.conf import temporal_task_queue
from triggers.engines.temporal import client
from triggers.engines.temporal import engine as engine_module
from triggers.engines.temporal.client import Connection
from triggers.engines.temporal.engine import TELL_SECONDS, TemporalEngine
from triggers.engines.temporal.workflows import CHUNK, workflow_id
from triggers.ids import uuid7
from triggers.models import Run
from triggers.testing import without_broker

pytestmark = pytest.mark.django_db(transaction=True)


def is_handed_over(temporal, run):
    return temporal.describe(workflow_id(run.pk, run.generation)).get("status") == "RUNNING"


@pytest.fixture
def runs(temporal):
    """Runs that no engine was told of."""
    a_trigger(RecordEffectAction())
    with without_broker():
        return list(fire(ProbeEvent, users=people(3)).runs.all())


class TestServerAway:
    @pytest.fixture(autouse=True)
    def calls(self, monkeypatch):
        """Those that were made to the server; while it is away, it stays so for as long as the test takes."""
        monkeypatch.setattr(engine_module, "AWAY_SECONDS", 1000.0)
        with mock.patch.object(Connection, "call", autospec=True, side_effect=Connection.call) as call:
            yield call

    def test_a_commit_goes_on_and_the_server_is_then_left_alone(self, temporal, caplog, calls):
        a_trigger(RecordEffectAction())
        (user,) = people(1)
        temporal.stop()
        began = time.monotonic()
        fire(ProbeEvent, users=user)
        assert time.monotonic() - began < TELL_SECONDS + SLACK
        for _ in range(20):
            fire(ProbeEvent, users=user)
        assert calls.call_count == 1
        assert Run.objects.filter(engine="temporal", status="pending").count() == 21
        assert caplog.text.count("the sweep will hand them over") == 1

    @pytest.mark.parametrize("is_known", [True, False], ids=["lost", "never connected"])
    def test_one_that_does_not_answer_is_given_up_and_then_left_alone(self, temporal, runs, is_known, caplog, calls):
        engine = TemporalEngine()
        if is_known:
            engine.start([runs[0].pk])
        temporal.pause()
        try:
            began = time.monotonic()
            engine.start([runs[1].pk])
            assert time.monotonic() - began < TELL_SECONDS + SLACK
            calls.reset_mock()
            engine.start([uuid7() for _ in range(1000)])
            engine.expand([uuid7()])
            engine.wake([run.pk for run in runs])
            engine.cancel([run.pk for run in runs])
            assert not calls.called
            assert "the sweep will hand them over" in caplog.text
        finally:
            temporal.stop()

    def test_once_it_is_back_the_same_client_goes_on(self, temporal, runs):
        engine = TemporalEngine()
        engine.start([runs[0].pk])
        temporal.stop()
        engine.start([runs[1].pk])
        temporal.start()
        engine._away_until = 0.0  # the pause is over
        engine.start([runs[1].pk])
        assert is_handed_over(temporal, runs[1])

    def test_readiness_says_so(self, temporal):
        engine = TemporalEngine()
        assert engine.outage() == "No worker takes work from the task queue in Temporal."
        temporal.stop()
        assert engine.outage() == "Temporal cannot be reached (UNAVAILABLE)."

    def test_a_namespace_that_is_not_there_is_named(self, temporal, settings):
        settings.TEMPORAL_NAMESPACE = "nowhere"
        client.forget()
        assert TemporalEngine().outage() == "Temporal has no namespace of the name that is set."


class TestStarting:
    def test_again_is_the_same_workflow(self, temporal, runs):
        engine = TemporalEngine()
        for _ in range(3):
            engine.start([runs[0].pk])
        events = temporal.history(workflow_id(runs[0].pk, 1))
        assert [event["eventType"].removeprefix("EVENT_TYPE_WORKFLOW_") for event in events] == [
            "EXECUTION_STARTED",
            "EXECUTION_SIGNALED",
            "TASK_SCHEDULED",
            "EXECUTION_SIGNALED",
            "EXECUTION_SIGNALED",
        ]

    def test_runs_that_have_waited_are_left_to_their_workflows_and_others_go_together(self, temporal, runs):
        waiting, *others = runs
        Run.objects.filter(pk=waiting.pk).update(status="waiting")
        TemporalEngine().start([run.pk for run in runs])
        assert is_handed_over(temporal, waiting)
        assert [temporal.describe(workflow_id(run.pk, 1)) for run in others] == [{}, {}]
        queue = f"TaskQueue = '{temporal_task_queue()}'"
        (chunk,) = wait_until(lambda: temporal.find(f"WorkflowType = '{CHUNK}' AND {queue}"))
        (started, *_) = temporal.history(chunk)
        (given,) = started["workflowExecutionStartedEventAttributes"]["input"]["payloads"]
        assert json.loads(b64decode(given["data"]))["ids"] == [str(run.pk) for run in others]

    def test_a_run_that_is_gone_starts_nothing(self, temporal):
        TemporalEngine().start([uuid7()])
        assert temporal.command("workflow", "count").stdout.strip() != ""

    def test_from_async_code(self, temporal):
        a_trigger(RecordEffectAction())
        (user,) = people(1)

        async def twice():
            await asyncio.gather(afire(ProbeEvent, users=user.pk), afire(ProbeEvent, users=user.pk))
            await sync_to_async(connections.close_all)()  # those of the thread that fired

        asyncio.run(twice())
        assert all(is_handed_over(temporal, run) for run in Run.objects.all())
        assert Run.objects.count() == 2

    def test_before_and_after_a_fork_of_the_process(self, temporal, tmp_path):
        a_trigger(RecordEffectAction())
        people(1)
        done = subprocess.run(
            [sys.executable, "-c", FORKING],
            env=environment(os.environ["CELERY_BROKER_URL"], tmp_path),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "children ended with [0, 0]\n"), done.stderr
        runs = Run.objects.all()
        assert len(runs) == 4
        assert [is_handed_over(temporal, run) for run in runs] == [True] * 4


#: The parent fires, its two children, and it again.
FORKING = """
import os
import django
django.setup()
from django.contrib.auth.models import User
from django.db import connections
from tests.probe.models import ProbeEvent
from triggers import fire

def fire_once():
    fire(ProbeEvent, users=User.objects.get())

fire_once()
connections.close_all()
children = []
for _ in range(2):
    child = os.fork()
    if not child:
        fire_once()
        raise SystemExit
    children.append(child)
codes = [os.waitpid(child, 0)[1] for child in children]
fire_once()
print("children ended with", codes)
"""


def test_the_connection_is_made_when_it_is_first_used(temporal):
    connection = Connection()
    assert connection._client is None
    assert connection._loop is None


def test_settings_win_over_the_environment(settings, monkeypatch):
    monkeypatch.setenv("TEMPORAL_ADDRESS", "environment:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "environment")
    monkeypatch.setenv("TEMPORAL_API_KEY", "secret")
    options = client.options()
    assert (options["target_host"], options["namespace"], options["api_key"]) == (
        "environment:7233",
        "environment",
        "secret",
    )
    settings.TEMPORAL_HOST = "settings:7233"
    settings.TEMPORAL_NAMESPACE = "settings"
    options = client.options()
    assert (options["target_host"], options["namespace"], options["api_key"]) == (
        "settings:7233",
        "settings",
        "secret",
    )


def test_a_client_certificate_is_taken_from_the_environment(monkeypatch, tmp_path):
    for name in ("CERT", "KEY"):
        (tmp_path / name).write_text(name)
        monkeypatch.setenv(f"TEMPORAL_TLS_CLIENT_{name}_PATH", str(tmp_path / name))
    tls = client.options()["tls"]
    assert (tls.client_cert, tls.client_private_key) == (b"CERT", b"KEY")


def test_without_either_it_is_a_server_on_this_machine(monkeypatch):
    for name in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    options = client.options()
    assert (options["target_host"], options["namespace"]) == ("localhost:7233", "triggers")


def test_a_profile_that_cannot_be_read_is_named(monkeypatch, tmp_path):
    profile = tmp_path / "temporal.toml"
    profile.write_text("[profile.default\n")
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(profile))
    problem = TemporalEngine().problem()
    assert problem is not None
    assert problem[0].startswith("What the environment says of Temporal cannot be used: ")
    assert problem[1] == "Correct the TEMPORAL_… environment variables, or the profile that they name."
