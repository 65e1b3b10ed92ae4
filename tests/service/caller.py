"""The service without any demo, and a system of somebody else's that uses it over HTTP."""

import json
import sqlite3
import subprocess
from contextlib import closing
from email import message_from_string
from email.message import EmailMessage
from email.policy import default
from typing import Any

from tests.service.running import TRIGGERS, Answer, Triggers, send
from tests.waiting import wait_until

SCOPES = ("fire", "users:write", "runs:read", "triggers:read", "triggers:write", "triggers:enable")
PAST = "2026-01-01 00:00:00"


class Service(Triggers):
    """The service without any demo, and a system that has a key for it."""

    def begin(self) -> None:
        self.spawn("serve", "--port", str(self.port))
        self.wait_for_output("The service runs.")
        self.command("manage", "createsuperuser", "--noinput", "--username", "admin", "--email", "admin@example.com")
        scopes = [word for scope in SCOPES for word in ("--scope", scope)]
        key = self.command("manage", "triggers_key", "create", "--user", "admin", "--name", "recipes", *scopes)
        self.key = key.splitlines()[-1]

    def command(self, *words: str) -> str:
        env = {**self.env, "DJANGO_SUPERUSER_PASSWORD": "not-a-secret"}
        done = subprocess.run([TRIGGERS, *words], cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def ask(
        self, path: str, body: Any = None, method: str | None = None, media_type: str = "application/json"
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": media_type}
        data = None if body is None else json.dumps(body)
        return send(f"{self.api}/{path}", headers=headers, data=data, method=method)

    def registers(self, key: str, **values: Any) -> None:
        values = {"email": f"{key}@example.com", "name": key.title(), **values}
        assert self.ask(f"users/{key}/", values, "PUT").status in (200, 201)

    def fires(self, **event: Any) -> list[str]:
        """The ids of the runs that begin."""
        answer = self.ask("fire/", event)
        assert answer.status == 202, answer.body
        return [run["id"] for run in answer.json["runs"]]

    def run(self, run_id: str) -> Any:
        return self.ask(f"runs/{run_id}/").json

    def mailed(self, to: str, number: int) -> list[tuple[str, str]]:
        """Subject and text of the so many e-mails that this person has got."""

        def found() -> list[tuple[str, str]]:
            messages = [message_from_string(mail, _class=EmailMessage, policy=default) for mail in self.mails]
            return [(m["Subject"], body_of(m)) for m in messages if m["To"] == to]

        wait_until(lambda: len(found()) >= number, message=lambda: f"{found()}\n{self.output}")
        assert len(found()) == number
        return found()

    def time_passes(self, run_id: str) -> None:
        """What the run waits for, or its delay, is over."""
        wait_until(lambda: self.run(run_id)["due_at"] is not None, message=lambda: str(self.run(run_id)))
        self.write(
            "UPDATE triggers_run SET due_at = :past, next_handover_at = :past WHERE id = :id",
            id=run_id.replace("-", ""),
        )

    def write(self, statement: str, **values: str) -> None:
        with closing(sqlite3.connect(self.data / "triggers.sqlite3", timeout=20)) as database, database:
            database.execute(statement, {"past": PAST, **values})


def body_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).strip()
