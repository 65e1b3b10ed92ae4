"""
What the compose files have containers run, run here: the same commands in the same environment, on PyPI's PostgreSQL
and Redis and Temporal's own server, in place of their images.
"""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from socket import create_connection
from typing import Any

import pytest

from tests.deploy.files import compose, dockerfile, environment_of, example
from tests.servers.temporal import Temporal
from tests.service.conftest import elsewhere as elsewhere
from tests.service.conftest import triggers as triggers
from tests.service.running import Triggers, send
from tests.waiting import wait_until

PROXIED = {"X-Forwarded-Proto": "https", "Host": "triggers.example.com"}
pytestmark = pytest.mark.postgresql


def container(service: Any, variables: Mapping[str, str], addresses: Mapping[str, str]) -> dict[str, str]:
    """The environment of the container, where the names of other services are these addresses."""
    env = {**environment_of(1), **variables, **service["environment"]}
    del env["PATH"], env["TRIGGERS_DATA"]
    return env | {name: address for name, address in addresses.items() if name in env}


def health_check(port: int) -> int:
    """The exit code of the command by which Docker asks how the web server is."""
    (text,) = (each.text for each in dockerfile() if each.name == "HEALTHCHECK")
    program, *arguments = (word.strip(",") for word in shlex.split(text.partition("CMD [")[2].removesuffix("]")))
    assert program == "python"
    arguments = [argument.replace(":8000/", f":{port}/") for argument in arguments]
    return subprocess.run([sys.executable, *arguments], capture_output=True).returncode


def start(triggers: Triggers, tmp_path: Path, files: tuple[str, ...], addresses: dict[str, str]) -> Triggers:
    """Database, web server and worker are as the files have them; returns the worker."""
    variables = example()
    services = compose(*files, env=variables)
    assert services["db"]["environment"]["POSTGRES_PASSWORD"] == variables["POSTGRES_PASSWORD"]
    migrate, web, worker = (container(services[name], variables, addresses) for name in ("migrate", "web", "worker"))
    assert triggers.call(*services["migrate"]["command"], env=migrate) == 0, triggers.output
    assert triggers.call("manage", "check", "--deploy", "--fail-level", "INFO", env=web) == 0, triggers.output
    assert "System check identified no issues" in triggers.output
    key = [*("manage", "triggers_key", "create", "--user", "root", "--name", "Story"), *("--scope", "fire")]
    root = ["manage", "createsuperuser", "--noinput", "--username", "root", "--email", "root@example.com"]
    assert triggers.call(*root, env=web) == 0, triggers.output
    scopes = [
        "--scope",
        "runs:read",
        "--scope",
        "triggers:write",
        "--scope",
        "triggers:enable",
        "--scope",
        "users:write",
    ]
    assert triggers.call(*key, *scopes, env=web) == 0, triggers.output
    triggers.env["KEY"] = triggers.output.splitlines()[-1]
    triggers.spawn(*services["web"]["command"], "--port", str(triggers.port), env=web)
    wait_until(lambda: health_check(triggers.port) == 0, message=lambda: triggers.output)
    other = Triggers(tmp_path / "worker", env=worker)
    other.spawn(*services["worker"]["command"])
    return other


def call(triggers: Triggers, path: str, data: str | None = None, method: str | None = None) -> Any:
    headers = {**PROXIED, "Authorization": f"Bearer {triggers.env['KEY']}", "Content-Type": "application/json"}
    return send(f"{triggers.api}/{path}", headers=headers, data=data, method=method)


def order_is_thanked_for(triggers: Triggers, worker: Triggers) -> None:
    trigger = """{
        "type": "triggers.Trigger", "name": "Thank", "events": [{"type": "demo.OrderPlacedEvent"}],
        "actions": [{"type": "demo.SendEmailAction", "subject": "Thank you", "message": "For order {{ order }}."}]
    }"""
    made = call(triggers, "triggers/", trigger)
    assert made.status == 201, made.body
    assert call(triggers, f"triggers/{made.json['id']}/enable/", "").status == 200
    assert call(triggers, "users/ada/", '{"email": "ada@example.com"}', "PUT").status == 201
    fired = call(triggers, "fire/", '{"type": "demo.OrderPlacedEvent", "user": "ada", "context": {"order": 7}}')
    assert fired.status == 202, fired.body
    (run,) = fired.json["runs"]
    wait_until(
        lambda: call(triggers, f"runs/{run['id']}/").json["status"] == "succeeded",
        message=lambda: f"{worker.output}\n{triggers.output}",
    )
    (mail,) = worker.mails
    assert "To: ada@example.com\n" in mail
    assert "For order 7." in mail
    assert send(f"{triggers.api}/health/ready/").status == 200


def test_the_services_run_on_postgresql_and_redis(
    triggers: Triggers, tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    worker = start(triggers, tmp_path, ("compose.yaml",), elsewhere)
    try:
        order_is_thanked_for(triggers, worker)
        assert send(f"{triggers.api}/runs/", headers=PROXIED | {"Host": "elsewhere.example.com"}).status == 400
        with create_connection(("127.0.0.1", triggers.port)) as connection:
            connection.sendall(b"GET /api/v1/runs/ HTTP/1.0\r\nHost: triggers.example.com\r\n\r\n")
            answer = connection.recv(4096).decode()
        assert answer.startswith("HTTP/1.0 301 ")
        assert "\r\nLocation: https://triggers.example.com/api/v1/runs/\r\n" in answer
    finally:
        worker.kill()


def test_the_services_run_with_temporal(
    triggers: Triggers, tmp_path: Path, elsewhere: dict[str, str], temporal_server: Temporal
) -> None:
    temporal_server.start()
    addresses = elsewhere | {"TEMPORAL_HOST": temporal_server.host}
    worker = start(triggers, tmp_path, ("compose.yaml", "compose.temporal.yaml"), addresses)
    try:
        order_is_thanked_for(triggers, worker)
        assert worker.processes(command="triggers_api.service.temporal")
    finally:
        worker.kill()
