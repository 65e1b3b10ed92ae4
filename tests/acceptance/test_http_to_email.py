import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from django.contrib.auth.models import Permission, User
from pytest_django.live_server_helper import LiveServer
from rest_framework.authtoken.models import Token

from tests.acceptance.scenario import a_trigger, on_both_engines
from tests.app.models import SendEmailAction, Task, TaskCompletedEvent
from tests.servers.mail import sent_mails
from tests.servers.worker import Worker
from tests.waiting import wait_until
from triggers.models import ActionCountCondition


class Caller:
    """Another system: it knows an address and a token."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self.headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

    def call(self, path: str, body: Any = None, **headers: str) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(self.address + path, data, self.headers | headers)) as answer:
            return json.load(answer)


@on_both_engines
def test_an_event_that_is_posted_twice_with_one_key_sends_one_email_and_the_run_tells(
    live_server: LiveServer, worker: Worker, tmp_path: Path
) -> None:
    anna = User.objects.create_user("anna", email="anna@example.com", first_name="Anna")
    task = Task.objects.create(user=anna, name="Write to Bob")
    caller = User.objects.create_user("caller")
    caller.user_permissions.add(Permission.objects.get(codename="fire_event"))
    other_system = Caller(live_server.url, Token.objects.create(user=caller).key)
    a_trigger(
        SendEmailAction(subject="Well done, {{ user.first_name }}", message="{{ task.name }} is completed."),
        event=TaskCompletedEvent(),
        conditions=[ActionCountCondition(limit=1)],
    )
    body = {"type": "app.TaskCompletedEvent", "users": [str(anna.pk)], "context": {"task_id": task.pk}}

    first = other_system.call("/api/v1/fire/", body, **{"Idempotency-Key": "completed-1"})
    repeated = other_system.call("/api/v1/fire/", body, **{"Idempotency-Key": "completed-1"})
    assert repeated["id"] == first["id"]
    [run] = first["runs"]

    def told() -> Any:
        answer = other_system.call(f"/api/v1/runs/{run['id']}/")
        return answer if answer["status"] not in ("pending", "running") else None

    ended = wait_until(told, message=worker.output)
    assert (ended["status"], [step["status"] for step in ended["steps"]]) == ("succeeded", ["succeeded"])
    [email] = sent_mails(tmp_path)
    assert (email["To"], email["Subject"]) == ("anna@example.com", "Well done, Anna")
    assert email.get_content().startswith("Write to Bob is completed.")
    assert email["Message-ID"].startswith(f"<{run['id']}.0@")

    second = other_system.call("/api/v1/fire/", body, **{"Idempotency-Key": "completed-2"})
    [run] = second["runs"]
    ended = wait_until(told, message=worker.output)
    assert (ended["status"], ended["code"]) == ("skipped", "limit_reached")
    assert len(sent_mails(tmp_path)) == 1
