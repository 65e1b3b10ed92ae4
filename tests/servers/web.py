"""The test project behind gunicorn, as a process of its own."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.servers.processes import Port, accepts_connections, end, spawn
from tests.servers.worker import ROOT
from tests.waiting import wait_until


class Web:
    """Answers when `start` returns; its output goes to `log`, which a failed test shows."""

    def __init__(self, *, log: Path, env: Mapping[str, str], threads: int = 4) -> None:
        self.log = log
        self.env = env
        self.port = Port().number
        self.threads = threads
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        options = ["--bind", f"127.0.0.1:{self.port}", "--worker-class", "gthread", "--threads", str(self.threads)]
        options += ["--no-control-socket", "--limit-request-line", "0"]  # no more than the API itself is to refuse
        options += ["--keep-alive", "75"]  # or it may close a connection just as a slow client sends on it
        command = [sys.executable, "-m", "gunicorn", "django.core.wsgi:get_wsgi_application()", *options]
        self._process = spawn(command, log=self.log, env=self.env, cwd=ROOT)
        wait_until(self._answers, message=lambda: f"gunicorn:\n{self.output()}")

    def stop(self) -> None:
        if self._process is not None:
            end(self._process, signal.SIGTERM)

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"gunicorn ended at once:\n{self.output()}")
        return accepts_connections(self.port)
