"""A worker of the test project, Celery's or Temporal's, as a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.db import connection

from tests.servers.processes import end, signal_group, spawn
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
#: Prefixes of settings that other processes are given.
SETTINGS = ("TRIGGERS_", "TEMPORAL_")


def environment(broker_url: str, folder: Path) -> dict[str, str]:
    """Return what another process needs to share the test's database, broker and settings."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        database_url = f"sqlite:///{database['NAME']}"
    else:
        address = f"{database['HOST']}:{database['PORT']}"
        database_url = f"postgresql://{database['USER']}@{address}/{database['NAME']}"
    return {
        **os.environ,
        **{name: _as_text(getattr(settings, name)) for name in dir(settings) if name.startswith(SETTINGS)},
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "default",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": database_url,
        "CELERY_BROKER_URL": broker_url,
        "EMAIL_FILE_PATH": str(folder / "mail"),
    }


def _as_text(value: object) -> str:
    return str(value.total_seconds()) if isinstance(value, timedelta) else str(value)


class Worker:
    """Ready when `start` returns; its output goes to `log`, which a failed test shows."""

    def __init__(self, *command: str, log: Path, env: Mapping[str, str], ready: str) -> None:
        self.log = log
        self.env = env
        self.command = [sys.executable, "-m", *command]
        self._ready = ready.encode()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        assert self._process is not None
        return self._process.poll()

    def start(self) -> None:
        """The worker takes work."""
        seen = self.log.stat().st_size if self.log.exists() else 0
        self._process = spawn(self.command, log=self.log, env=self.env, cwd=ROOT)
        wait_until(lambda: self._is_ready(seen), message=lambda: f"the worker:\n{self.output()}")

    def _is_ready(self, seen: int) -> bool:
        if not self.is_alive:
            raise RuntimeError(f"the worker ended at once:\n{self.output()}")
        with self.log.open("rb") as log:
            log.seek(seen)
            return self._ready in log.read()

    def kill(self) -> None:
        """The worker and its pool are gone as if the machine had lost power."""
        if self._process is not None:
            signal_group(self._process, signal.SIGKILL)
            self._process.wait()

    def supervise(self) -> None:
        """Start the worker again if it has ended, as whatever keeps workers running would."""
        if not self.is_alive:
            self.start()

    def terminate(self) -> None:
        """The worker is told to stop; this does not wait for it."""
        assert self._process is not None
        self._process.terminate()

    def stop(self, *, timeout: float = 20) -> None:
        """The worker has finished what it had begun and ended, or was killed after ``timeout`` seconds."""
        if self._process is not None:
            signal_group(self._process, signal.SIGCONT)
            end(self._process, signal.SIGTERM, timeout=timeout)

    def output(self, *, lines: int = 200) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def celery_worker(*, log: Path, env: Mapping[str, str], pool: str = "prefork", concurrency: int = 2) -> Worker:
    """A Celery worker, not started yet."""
    # No event may be missed by one worker because another has the same name.
    command = ["celery", "-A", "tests.app", "worker", "-n", f"{log.stem}@%h", "--pool", pool]
    # Without mingle, or each start waits a second for other workers to answer.
    command += ["--concurrency", str(concurrency), "--loglevel", "INFO", "--without-mingle"]
    return Worker(*command, log=log, env=env, ready=" ready.")


def temporal_worker(*options: str, log: Path, env: Mapping[str, str], command: str = "temporal_worker") -> Worker:
    """``manage.py temporal_worker`` with these options, not started yet."""
    return Worker("tests.manage", command, *options, log=log, env=env, ready="Working for the task queue")


class StartWorker(Protocol):
    """
    Start a worker that does so many things at a time; ``env`` adds to its environment.

    With ``undying``, processes of it that die are replaced at once.
    """

    def __call__(self, *, concurrency: int = ..., env: Mapping[str, str] = ..., undying: bool = ...) -> Worker: ...


class StartCeleryWorker(Protocol):
    """Start a worker with this pool and number of processes or threads; ``env`` adds to its environment."""

    def __call__(self, *, pool: str = ..., concurrency: int = ..., env: Mapping[str, str] = ...) -> Worker: ...


class StartTemporalWorker(Protocol):
    """Start a worker by the command with these options; ``env`` adds to its environment."""

    def __call__(self, *options: str, env: Mapping[str, str] = ..., command: str = ...) -> Worker: ...
