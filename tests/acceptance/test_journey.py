"""
A journey over HTTP: an e-mail, a wait of two weeks, a second e-mail unless the task was completed meanwhile.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from google.protobuf.field_mask_pb2 import FieldMask
from pytest_django.live_server_helper import LiveServer
from rest_framework.authtoken.models import Token
from temporalio.api.common.v1 import TimeSkippingConfig, WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client

from tests.acceptance.scenario import on_both_engines
from tests.acceptance.test_http_to_email import Caller
from tests.app.models import Task
from tests.servers.engines import EngineAtWork
from tests.servers.mail import sent_mails
from tests.servers.temporal import NAMESPACE
from tests.servers.worker import StartWorker
from tests.waiting import wait_until
from triggers.engines.temporal.client import connection
from triggers.engines.temporal.workflows import workflow_id
from triggers.models import Run

pytestmark = on_both_engines

TwoWeeksPass = Callable[[str], None]

JOURNEY = {
    "type": "triggers.Trigger",
    "name": "Remind of a task",
    "events": [{"type": "probe.ProbeEvent"}],
    "conditions": [
        {"type": "app.HasUncompletedTaskCondition"},
        {"type": "triggers.ActionCountCondition", "limit": 1},
    ],
    "actions": [
        {"type": "app.SendEmailAction", "subject": "First", "message": "There is something to do."},
        {
            "type": "triggers_journeys.WaitForEvent",
            "event_type": "app.TaskCompletedEvent",
            "within": "P14D",
            "matching_keys": "task_id",
        },
        {"type": "triggers_journeys.GoOnIfConditionsHold"},
        {"type": "app.SendEmailAction", "subject": "Second", "message": "It is still to be done."},
    ],
}


class Story:
    """Anna has a task and a journey to remind her of it; the other system follows over HTTP what becomes of it."""

    def __init__(self, address: str, folder: Path) -> None:
        admin = User.objects.create_superuser("admin")
        self.http = Caller(address, Token.objects.create(user=admin).key)
        self.folder = folder
        self.anna = User.objects.create_user("anna", email="anna@example.com")
        self.task = Task.objects.create(user=self.anna, name="Write to Bob")
        self.trigger = self.http.call("/api/v1/triggers/", JOURNEY)
        self.http.call(f"/api/v1/triggers/{self.trigger['id']}/enable/", {})
        fired = self.fire("probe.ProbeEvent")
        self.run_id = fired["runs"][0]["id"]

    def fire(self, type_: str) -> Any:
        body = {"type": type_, "user": str(self.anna.pk), "context": {"task_id": self.task.pk}}
        return self.http.call("/api/v1/fire/", body)

    def run(self) -> Any:
        return self.http.call(f"/api/v1/runs/{self.run_id}/")

    def run_that(self, is_so: Callable[[Any], bool]) -> Any:
        def look() -> Any:
            run = self.run()
            return run if is_so(run) else None

        return wait_until(look, timeout=60, message=lambda: str(self.run()))

    def waits(self) -> Any:
        return self.run_that(lambda run: run["waiting_for"] is not None)

    def ends(self) -> Any:
        return self.run_that(lambda run: run["ended_at"] is not None)

    def mail(self) -> list[str]:
        return [mail["Subject"] for mail in sent_mails(self.folder)]


@pytest.fixture
def story(start_worker: StartWorker, live_server: LiveServer, tmp_path: Path) -> Story:
    return Story(live_server.url, tmp_path)


def in_the_database(run_id: str) -> None:
    """Two weeks pass for an engine that lets runs wait in the database."""
    Run.objects.filter(pk=run_id).update(due_at=timezone.now(), next_handover_at=timezone.now())


def in_temporal(run_id: str) -> None:
    """The clock of the run's workflow leaps to whatever comes next."""
    request = UpdateWorkflowExecutionOptionsRequest(
        namespace=NAMESPACE,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id(UUID(run_id), 1)),
        workflow_execution_options=WorkflowExecutionOptions(time_skipping_config=TimeSkippingConfig(enabled=True)),
        update_mask=FieldMask(paths=["time_skipping_config"]),
    )

    async def ask(client: Client) -> None:
        await client.workflow_service.update_workflow_execution_options(request)

    connection().call(ask, 10)


@pytest.fixture
def two_weeks_pass(engine: EngineAtWork) -> TwoWeeksPass:
    return {"celery": in_the_database, "temporal": in_temporal}[engine.name]


@pytest.mark.timeout(180)
def test_a_task_that_is_completed_while_no_worker_lives_ends_its_journey(
    story: Story, start_worker: StartWorker
) -> None:
    worker = start_worker()
    waiting = story.waits()
    assert (waiting["status"], waiting["waiting_for"]["type"]) == ("waiting", "app.TaskCompletedEvent")
    assert waiting["waiting_for"] == {
        "type": "app.TaskCompletedEvent",
        "context_keys": ["task_id"],
        "since": waiting["waiting_for"]["since"],
        "until": waiting["due_at"],
        "on_timeout": "continue",
    }
    assert [step["status"] for step in waiting["steps"]] == ["succeeded", "succeeded"]
    assert story.mail() == ["First"]

    worker.kill()
    Task.objects.update(is_completed=True)
    event = story.fire("app.TaskCompletedEvent")
    assert (event["matched"], event["runs"]) == ([], [])  # no trigger uses the type
    assert story.run()["waiting_for"] is None
    start_worker()

    ended = story.ends()
    assert (ended["status"], ended["code"]) == ("succeeded", "stopped")
    assert ended["decision"]["type"] == "app.HasUncompletedTaskCondition"
    assert [step["woken_by"] for step in ended["steps"]] == [None, event["id"], None]
    assert story.mail() == ["First"]


@pytest.mark.timeout(180)
def test_a_task_that_is_forgotten_for_two_weeks_is_reminded_of_again(
    story: Story, start_worker: StartWorker, two_weeks_pass: TwoWeeksPass
) -> None:
    worker = start_worker()
    waiting = story.waits()
    started = datetime.fromisoformat(waiting["started_at"])
    until = datetime.fromisoformat(waiting["waiting_for"]["until"])
    assert timedelta(days=14) <= until - started < timedelta(days=14, minutes=5)
    worker.kill()
    start_worker()

    two_weeks_pass(story.run_id)

    ended = story.ends()
    assert (ended["status"], ended["code"]) == ("succeeded", "")
    assert [step["status"] for step in ended["steps"]] == ["succeeded"] * 4
    assert ended["steps"][1]["detail"] == "app.TaskCompletedEvent did not happen in time."
    assert story.mail() == ["First", "Second"]
