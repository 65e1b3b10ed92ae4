"""`triggers serve` and its parts as a person would run them: a process, in a folder of its own."""

import json
import os
import shlex
import signal
import subprocess
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener
from uuid import uuid4

from tests.servers.processes import Port, spawn
from tests.waiting import wait_until

TRIGGERS = Path(sysconfig.get_path("scripts")) / "triggers"
MARK = "TRIGGERS_TEST"
#: What the tests themselves are set to, and the service must not be.
NOT_PASSED_ON = {"DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE", "PYTHONPATH"}


@dataclass(frozen=True)
class Answer:
    status: int
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(url: str, *, headers: Mapping[str, str] = {}, data: str | None = None, method: str | None = None) -> Answer:
    request = Request(url, headers=dict(headers), data=None if data is None else data.encode(), method=method)
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=20) as response:
            return Answer(response.status, response.read().decode())
    except HTTPError as error:
        return Answer(error.code, error.read().decode())


class Triggers:
    """One call of the command after the other, all in the same folder."""

    def __init__(self, folder: Path, env: Mapping[str, str] = {}) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.data = folder / "triggers-data"
        self.port = Port().number
        self.mark = str(uuid4())
        self.env = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
        self.env |= {MARK: self.mark, **env}
        self.process: subprocess.Popen[bytes] | None = None
        self._started: list[subprocess.Popen[bytes]] = []

    def spawn(self, *arguments: str, env: Mapping[str, str] = {}) -> subprocess.Popen[bytes]:
        self.log = self.folder / f"output{len(self._started) + 1}"
        self.process = spawn([TRIGGERS, *arguments], log=self.log, env={**self.env, **env}, cwd=self.folder)
        self._started.append(self.process)
        return self.process

    def call(self, *arguments: str, env: Mapping[str, str] = {}) -> int:
        """The command has ended, with this code."""
        return self.spawn(*arguments, env=env).wait(60)

    def serve(self, *, env: Mapping[str, str] = {}) -> None:
        """`triggers serve --demo` has printed its curl line."""
        self.spawn("serve", "--demo", "--port", str(self.port), env=env)
        self.wait_for_output("  curl ")

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for_output(self, text: str) -> None:
        process = self.process
        assert process is not None
        wait_until(lambda: text in self.output or process.poll() is not None, message=lambda: self.output)
        assert text in self.output, self.output

    @property
    def curl(self) -> list[str]:
        """The printed line, taken apart as a shell does."""
        return shlex.split(next(line for line in self.output.splitlines() if line.startswith("  curl ")))

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"

    @property
    def headers(self) -> dict[str, str]:
        words = self.curl
        headers = [value for word, value in pairwise(words) if word == "-H"]
        return dict(header.split(": ") for header in headers)

    def paste(self) -> str:
        """What the curl line does; the id of the run that it starts."""
        words = self.curl
        answer = send(words[1], headers=self.headers, data=words[words.index("-d") + 1])
        assert answer.status == 202, answer.body
        (run,) = answer.json["runs"]
        return str(run["id"])

    def ready(self) -> Answer:
        return send(f"{self.api}/health/ready/")

    def run(self, run_id: str) -> Any:
        answer = send(f"{self.api}/runs/{run_id}/", headers=self.headers)
        assert answer.status == 200, answer.body
        return answer.json

    def ended(self, run_id: str) -> Any:
        """The run once it has ended."""
        statuses = ("succeeded", "skipped", "failed", "cancelled")
        wait_until(lambda: self.run(run_id)["status"] in statuses, message=lambda: f"{self.run(run_id)}\n{self.output}")
        return self.run(run_id)

    @property
    def mails(self) -> list[str]:
        """In the order in which they were sent."""
        files = sorted((self.data / "mail").glob("*"), key=lambda file: file.stat().st_mtime_ns)
        return [file.read_text() for file in files]

    def interrupt(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """It was interrupted, as by Ctrl-C or with that signal, ended well, and left nobody behind."""
        assert self.process is not None
        self.interrupt(number)
        assert self.process.wait(30) == 0, self.output
        assert not self.processes(), self.output

    def processes(self, *, command: str = "") -> list[int]:
        """All processes that came from here, or those whose command line holds the word; the oldest first."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = f"{MARK}={self.mark}".encode() in (folder / "environ").read_bytes()
                line = (folder / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue  # has ended, or is somebody else's
            if is_ours and line and command in line:
                found.append(int(folder.name))
        return sorted(found)

    def kill(self) -> None:
        """Whatever still runs is gone."""
        for process in self._started:  # by itself: one that becomes another program just now is not found
            process.kill()
            process.wait()
        wait_until(lambda: not self._kill_found(), message=lambda: f"{self.processes()} to end")

    def _kill_found(self) -> list[int]:
        found = self.processes()
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return found
