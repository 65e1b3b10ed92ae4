"""Processes that are killed: nothing is lost, and nobody is left behind."""

import os
import signal

from tests.service.mailserver import SilentServer
from tests.service.running import Triggers
from tests.waiting import wait_until


def test_after_kill_9_the_next_start_finishes_what_was_under_way(triggers: Triggers) -> None:
    with SilentServer() as server:
        triggers.serve(env={"EMAIL_URL": server.email_url, "WORKER_CONCURRENCY": "1"})
        under_way = triggers.paste()
        server.wait_for_connection()
        queued = triggers.paste()
        assert (triggers.run(under_way)["status"], triggers.run(queued)["status"]) == ("running", "pending")
        triggers.interrupt(signal.SIGKILL)
        wait_until(lambda: not triggers.processes(), message=lambda: f"the end of {triggers.processes()}")
    triggers.serve()
    assert [triggers.ended(run_id)["status"] for run_id in (under_way, queued)] == ["succeeded"] * 2
    assert len(triggers.mails) == 2
    triggers.stop()


def test_a_part_that_is_killed_is_started_again(triggers: Triggers) -> None:
    triggers.serve()
    (worker, *pool), (web, *_) = triggers.processes(command="celery"), triggers.processes(command="gunicorn")
    assert len(pool) == 2
    os.kill(worker, signal.SIGKILL)
    os.kill(web, signal.SIGKILL)
    for part in ("web server", "worker"):
        triggers.wait_for_output(f"The {part} ended with code -9; starting it again in 1 s.")
    # The port stays open meanwhile: the request waits instead of being refused.
    assert triggers.ended(triggers.paste())["status"] == "succeeded"
    assert not {worker, *pool, web} & set(triggers.processes())
    triggers.stop()
