"""What a benchmark is played on: servers, databases, and processes of the project on either version."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import redis

from tests.servers.postgresql import PostgreSQL
from tests.servers.processes import Port, accepts_connections, die_with_parent, end, spawn
from tests.servers.redis import Redis
from tests.servers.temporal import Temporal
from tests.waiting import wait_until

ROOT: Final = Path(__file__).resolve().parent.parent
PROJECT: Final = ROOT / "benchmarks" / "project"
REQUIREMENTS: Final = ROOT / "tests" / "compat" / "legacy" / "requirements.txt"
#: Where the environment of dj-triggers 1.0.1 is kept: only the first run needs the package index.
CACHE: Final = ROOT / ".venv-released"
#: How many processes each Celery worker has.
PROCESSES: Final = 2


class Player:
    """A process of the project that calls functions of a module when it is told to."""

    def __init__(self, command: Sequence[str | Path], env: dict[str, str], log: Path) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("ab"),
            env=env,
            cwd=PROJECT,
            start_new_session=True,
            preexec_fn=die_with_parent() if sys.platform == "linux" else None,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self, name: str, /, **arguments: Any) -> Any:
        """What the function returned. Raises RuntimeError with the traceback of what it raised."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps([name, arguments]).encode() + b"\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError(f"{name}: the process has ended\n{self._log.read_text()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{name}:\n{answer['error']}")
        return answer["result"]

    def wait_for(self, name: str, number: int) -> float:
        """When the last was done, once ``name`` says that so many are. Fails when 20 ms for each were not enough."""
        found: dict[str, Any] = {}

        def are_done() -> bool:
            began = time.monotonic()
            found.update(self.call(name))
            if found["number"] >= number:
                return True
            # To count a million takes long, and takes a processor from what is measured: no more than a twentieth.
            time.sleep(20 * (time.monotonic() - began))
            return False

        timeout = max(300, number / 50)
        wait_until(are_done, timeout=timeout, interval=0.1, message=lambda: f"{number} to be {name}: {found}")
        return float(found["last"])

    def end(self) -> None:
        end(self._process, signal.SIGTERM)


class Side:
    """The project on one version, with a database and a part of the broker of its own."""

    def __init__(self, stage: Stage, name: str, python: Path, number: int) -> None:
        self.name = name
        self._stage = stage
        self._python = python
        self._number = str(number)
        address = stage.postgresql.url.rpartition("/")[0]
        with closing(psycopg.connect(f"{address}/postgres", autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        self.database_url = f"{address}/{name}"
        self.env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(PROJECT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "website.settings",
            "DATABASE_URL": self.database_url,
            "CELERY_BROKER_URL": stage.redis.url.rpartition("/")[0] + f"/{number}",
            "TEMPORAL_HOST": stage.temporal.host,
        }
        migrate = [str(python), "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=PROJECT, env=self.env, check=True)
        self._module = "released" if name == "released" else "current"
        self.player = stage.play(self.command("play.py", self._module), self.env, name)

    def another_player(self) -> Player:
        """One that ends with the scenario."""
        return self._stage.play(self.command("play.py", self._module), self.env, self.name, for_scenario=True)

    def command(self, *arguments: str) -> list[str | Path]:
        return [self._python, *arguments]

    def celery_worker(self) -> subprocess.Popen[bytes]:
        """One worker with two processes; it takes tasks. The same command for both versions."""
        command = self.command("-m", "celery", "-A", "website", "worker", "-n", f"{self.name}@bench")
        command += ["--concurrency", str(PROCESSES), "--loglevel", "WARNING", "--without-mingle", "--without-gossip"]
        return self._stage.worker(command, self.env, f"celery-{self.name}", self._waits_for_tasks)

    def _waits_for_tasks(self, log: Path) -> bool:
        """Whether somebody waits for messages in this side's part of the broker."""
        with closing(redis.Redis.from_url(self.env["CELERY_BROKER_URL"])) as connection:
            clients = connection.client_list()
        return any(client["cmd"] == "brpop" and client["db"] == self._number for client in clients)

    def temporal_worker(self) -> subprocess.Popen[bytes]:
        command = self.command("manage.py", "temporal_worker")
        return self._stage.worker(command, self.env, "temporal", says("Working for the task queue"))

    def web(self) -> str:
        """The address of a web server with two processes of two threads."""
        port = Port().number
        command = self.command("-m", "gunicorn", "django.core.wsgi:get_wsgi_application()", "--no-control-socket")
        command += ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--worker-class", "gthread", "--threads", "2"]
        self._stage.worker(command, self.env, "web", lambda log: accepts_connections(port))
        return f"http://127.0.0.1:{port}"


def says(text: str) -> Callable[[Path], bool]:
    return lambda log: text in log.read_text(errors="replace")


class Stage:
    """Servers and processes that end with the block; what is not used is not started."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.say = say
        self.postgresql = PostgreSQL(folder)
        self.redis = Redis(folder)
        self.temporal = Temporal(folder)
        self._sides: dict[str, Side] = {}
        self._all = ExitStack()
        #: What the scenario has started.
        self._scenario = ExitStack()

    def start_temporal(self) -> None:
        """The server runs from here on, unless it did before."""
        if not self.temporal.is_running:
            self.say("Temporal starts")
            self._all.callback(self.temporal.stop)
            self.temporal.start()

    @property
    def current(self) -> Side:
        return self.another("current")

    @property
    def released(self) -> Side:
        return self._side("released", self._released_python)

    def another(self, name: str) -> Side:
        """This version, on a database of that name."""
        return self._side(name, lambda: Path(sys.executable))

    def _side(self, name: str, python: Callable[[], Path]) -> Side:
        if name not in self._sides:
            self.say(f"The database for {name} is made")
            self._sides[name] = Side(self, name, python(), 1 + len(self._sides))
        return self._sides[name]

    def _released_python(self) -> Path:
        python, complete = CACHE / "bin" / "python", CACHE / "requirements.txt"
        if not complete.exists() or complete.read_text() != REQUIREMENTS.read_text():
            self.say("dj-triggers 1.0.1 is installed into an environment of its own")
            subprocess.run([sys.executable, "-m", "venv", "--clear", CACHE], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], check=True)
            complete.write_text(REQUIREMENTS.read_text())
        return python

    def play(
        self, command: Sequence[str | Path], env: dict[str, str], name: str, *, for_scenario: bool = False
    ) -> Player:
        """A player that ends with the stage, or with the scenario."""
        player = Player(command, env, self.folder / f"player-{name}.log")
        (self._scenario if for_scenario else self._all).callback(player.end)
        return player

    def worker(
        self, command: Sequence[str | Path], env: dict[str, str], name: str, is_ready: Callable[[Path], bool]
    ) -> subprocess.Popen[bytes]:
        """A process that ends with the scenario; it is ready."""
        log = self.folder / f"{name}-{time.monotonic_ns()}.log"
        process = spawn(command, log=log, env=env, cwd=PROJECT)
        self._scenario.callback(end, process, signal.SIGTERM)

        def ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended at once:\n{log.read_text()}")
            return is_ready(log)

        wait_until(ready, timeout=60, message=lambda: f"{name}:\n{log.read_text()}")
        return process

    @contextmanager
    def scenario(self) -> Iterator[None]:
        """What is started inside ends with the block; blocks may be within others."""
        outer, self._scenario = self._scenario, ExitStack()
        try:
            with self._scenario:
                yield
        finally:
            self._scenario = outer

    @contextmanager
    def running(self) -> Iterator[None]:
        self.postgresql.start()
        self._all.callback(self.postgresql.stop)
        self.redis.start()
        self._all.callback(self.redis.stop)
        with self._all:
            yield


@contextmanager
def stage(say: Callable[[str], None]) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="dj-triggers-bench-") as folder:
        made = Stage(Path(folder), say)
        say("PostgreSQL and Redis start")
        with made.running():
            yield made


def memory(pid: int) -> float:
    """The megabytes that the process and its children hold."""
    pids = [pid, *_children(pid)]
    return sum(_resident(each) for each in pids)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
    return int(kilobytes) / 1024
