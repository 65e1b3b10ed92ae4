"""What cannot work is said at once, with the way out, and nothing is left running."""

import socket
from contextlib import closing

import pytest

from tests.service.running import Triggers


def test_a_port_in_use_is_named_with_the_option_for_another(triggers: Triggers) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        assert triggers.call("serve", "--port", str(port)) == 1
    assert triggers.output == (f"triggers: Port {port} of 127.0.0.1 is in use. Take another: --port {port + 1}\n")


def test_a_second_instance_on_the_same_folder_is_refused(triggers: Triggers) -> None:
    triggers.serve()
    first = triggers.process
    for second in ("serve", "worker"):
        assert triggers.call(second) == 1
        assert "triggers-data is in use by another “triggers” process." in triggers.output
        assert "--data" in triggers.output
    assert first is not None
    assert first.poll() is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CELERY_BROKER_URL", "nonsense"),
        ("DATABASE_URL", "mysql://localhost/triggers"),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("LOG_LEVEL", "loud"),
        ("TIME_ZONE", "Mars"),
        ("WORKER_CONCURRENCY", "many"),
    ],
)
def test_a_wrong_variable_is_named(triggers: Triggers, name: str, value: str) -> None:
    assert triggers.call("worker", env={name: value}) == 1
    assert triggers.output.startswith(f"triggers: {name} must ")
    assert triggers.output.count("\n") == 1


def test_a_database_that_does_not_answer_is_said_in_a_line_or_two(triggers: Triggers) -> None:
    url = "postgresql://somebody:secret@127.0.0.1:1/triggers"
    assert triggers.call("serve", "--port", "0", env={"DATABASE_URL": url}) == 1
    assert triggers.output.startswith("triggers: The database says: ")
    assert "Traceback" not in triggers.output
    assert "secret" not in triggers.output


def test_the_parts_do_not_start_on_a_database_that_is_not_migrated(triggers: Triggers) -> None:
    for part in ("worker", "web"):
        assert triggers.call(part) == 1
        assert triggers.output == (
            "triggers: The database is not ready for this version. Make it so: triggers migrate\n"
        )


def test_a_web_server_that_cannot_start_ends_everything(triggers: Triggers) -> None:
    env = {"GUNICORN_CMD_ARGS": "--keyfile=/nowhere"}
    assert triggers.call("serve", "--port", "0", env=env) == 1
    assert "/nowhere" in triggers.output
    assert "triggers: The web server ended with code 1 before it was ready." in triggers.output
    assert not triggers.processes()
