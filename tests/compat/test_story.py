"""
A project on dj-triggers 1.0.1 is upgraded in place, as docs/upgrade.md says, while its people go on working.

Its processes are replaced one by one: old and new ones share the database and the broker for a while.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from tests.compat.conftest import LEGACY, Project
from tests.compat.databases import Database
from tests.docs.blocks import blocks
from tests.servers.processes import end, spawn
from tests.servers.redis import Redis
from tests.waiting import wait_until
from triggers import __version__

RELEASED = "1.0.1"
Start = Callable[..., subprocess.Popen[bytes]]

#: The commands of docs/upgrade.md for the project's folder, in their order.
STEPS = [
    line.removeprefix("python manage.py ")
    for block in blocks("docs/upgrade.md", "console")[:1]
    for line in block.text.splitlines()
    if line.startswith("python manage.py ")
]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts processes of a project; those that are left are killed at the end."""
    started: list[tuple[subprocess.Popen[bytes], Path]] = []

    def start(project: Project, *arguments: str, name: str) -> subprocess.Popen[bytes]:
        log = tmp_path / f"{name}.log"
        process = spawn([project.python, *arguments], log=log, env=project.environment, cwd=LEGACY)
        started.append((process, log))
        return process

    yield start
    for process, log in started:
        end(process, signal.SIGKILL)
        print(f"--- {log.name}\n{log.read_text(errors='replace')[-5000:]}")


@pytest.fixture
def start_worker(start: Start, tmp_path: Path) -> Start:
    def start_worker(project: Project, name: str) -> subprocess.Popen[bytes]:
        options = ["--concurrency", "2", "--without-mingle", "--loglevel", "INFO", "-n", f"{name}@%h"]
        process = start(project, "-m", "celery", "-A", "website", "worker", *options, name=name)
        log = tmp_path / f"{name}.log"
        wait_until(
            lambda: process.poll() is not None or " ready." in log.read_text(),
            message=lambda: f"the worker:\n{log.read_text()}",
        )
        assert process.poll() is None, f"the worker ended at once:\n{log.read_text()}"
        return process

    return start_worker


@pytest.fixture
def start_load(start: Start, tmp_path: Path) -> Callable[[Project, str], Callable[[], None]]:
    """People complete tasks until the function that is returned is called."""

    def start_load(project: Project, name: str) -> Callable[[], None]:
        stop = tmp_path / f"stop {name}"
        process = start(project, "manage.py", "load", name, str(stop), name=name)

        def stop_load() -> None:
            stop.touch()
            assert process.wait(30) == 0

        return stop_load

    return start_load


@pytest.fixture
def broker(redis_server: Redis) -> Iterator[redis.Redis]:
    redis_server.stop()
    redis_server.start()
    client = redis.Redis.from_url(redis_server.url)
    yield client
    client.close()


def messages(database: Database, condition: str = "TRUE") -> Counter[tuple[int, str]]:
    """How often which message was sent about which task."""
    rows = database.query(f"SELECT task_id, text FROM todo_message WHERE {condition}")
    return Counter((task_id, text) for task_id, text in rows)


def owed(database: Database) -> Counter[tuple[int, str]]:
    """What should have been sent, once each."""
    people = "auth_user.is_active AND auth_user.email <> ''"
    rows = database.query(
        f"SELECT todo_task.id, {people} FROM todo_task JOIN auth_user ON auth_user.id = user_id WHERE is_completed"
    )
    at_once = [(task_id, "at once") for task_id, concerned in rows if concerned]
    return Counter(at_once + [(task_id, "later") for task_id, _ in rows])


def wait_for_messages(database: Database, number: int, *, sent_by: str) -> None:
    def sent() -> int:
        return messages(database, f"sent_by = '{sent_by}'").total()

    wait_until(lambda: sent() >= number, message=lambda: f"{number} messages by {sent_by}, not {sent()}")


def tasks(database: Database, name: str) -> int:
    ((number,),) = database.query(f"SELECT COUNT(*) FROM todo_task WHERE name = '{name}'")
    return int(number)


@pytest.mark.network
@pytest.mark.postgresql
@pytest.mark.timeout(240)
def test_no_event_is_lost_and_none_happens_twice_while_the_workers_are_replaced(
    released_python: Path,
    database: Database,
    redis_server: Redis,
    broker: redis.Redis,
    start_worker: Callable[[Project, str], subprocess.Popen[bytes]],
    start_load: Callable[[Project, str], Callable[[], None]],
) -> None:
    old = Project(released_python, database, {"CELERY_BROKER_URL": redis_server.url})
    new = replace(old, python=sys.executable)

    old.manage("migrate --verbosity 0", "set_up")
    old_workers = [start_worker(old, f"old worker {number}".replace(" ", "-")) for number in (1, 2)]
    stop_old_load = start_load(old, "old-web")
    wait_for_messages(database, 50, sent_by=RELEASED)

    # As docs/upgrade.md says: the tables first, then the workers, then the web processes.
    for step in STEPS:
        new.manage(step)
    wait_for_messages(database, 100, sent_by=RELEASED)

    new_worker = start_worker(new, "new-worker-1")
    end(old_workers.pop(), signal.SIGTERM)
    wait_for_messages(database, 50, sent_by=__version__)

    # Old and new processes of both kinds side by side: the old worker drops what it does not understand.
    stop_new_load = start_load(new, "new-web")
    wait_until(lambda: tasks(database, "new-web") > 40)
    stop_old_load()
    end(old_workers.pop(), signal.SIGTERM)

    # Nobody takes messages for a while, and then somebody does.
    end(new_worker, signal.SIGTERM)
    wait_until(lambda: tasks(database, "new-web") > 80)
    start_worker(new, "new-worker-2")
    stop_new_load()

    def is_done() -> bool:
        ((open_runs,),) = database.query(
            "SELECT COUNT(*) FROM triggers_run WHERE status IN ('pending', 'running', 'waiting')"
        )
        left = broker.llen("celery") + broker.hlen("unacked")
        return open_runs == 0 and left == 0 and not owed(database) - messages(database)

    wait_until(is_done, timeout=60, message=lambda: f"the last messages: {owed(database) - messages(database)}")
    assert messages(database) == owed(database)

    # Each of them is counted once as well, whoever sent it.
    counts = dict(
        database.query(
            "SELECT name, SUM(action_count) FROM triggers_activity JOIN triggers_trigger"
            " ON triggers_trigger.id = trigger_id GROUP BY name"
        )
    )
    assert counts == dict(Counter(text for _, text in messages(database).elements()))

    # The story went as it was meant to: messages of the old version were performed by the new one.
    ((handled,),) = database.query("SELECT COUNT(*) FROM triggers_occurrence WHERE source = 'handle_event'")
    assert handled > 50
    assert tasks(database, "old-web") > 100
