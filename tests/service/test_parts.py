"""The parts alone, on another database and broker."""

import signal
from pathlib import Path

import pytest

from tests.servers.processes import accepts_connections
from tests.service.running import Triggers, send
from tests.waiting import wait_until

pytestmark = pytest.mark.postgresql


def test_web_and_worker_run_apart_on_postgresql_and_redis(
    triggers: Triggers, tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    triggers.serve(env=elsewhere)  # the demo's data, and its key
    before = triggers.ended(triggers.paste())
    curl, headers = triggers.curl, triggers.headers
    triggers.stop()
    assert not (triggers.data / "triggers.sqlite3").exists()

    assert triggers.call("migrate", env=elsewhere) == 0
    web = triggers.spawn("web", "--port", str(triggers.port), env=elsewhere)
    wait_until(lambda: accepts_connections(triggers.port))
    # As on another machine: nothing is shared but database and broker.
    worker = Triggers(tmp_path / "elsewhere", env=elsewhere | {"SECRET_KEY": "another"})
    worker.spawn("worker")

    def status(run_id: str) -> str:
        return str(send(f"{triggers.api}/runs/{run_id}/", headers=headers).json["status"])

    assert status(before["id"]) == "succeeded"
    answer = send(curl[1], headers=headers, data=curl[-1])
    (run,) = answer.json["runs"]
    wait_until(lambda: status(run["id"]) == "succeeded", message=lambda: worker.output)
    assert (len(triggers.mails), len(worker.mails)) == (1, 1)
    assert "E-mail to ada@example.com" in worker.output
    worker.stop(signal.SIGTERM)
    triggers.stop()
    assert web.returncode == 0
