"""The fixtures that give a test its database, broker and workers: real ones, started when needed."""

import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db.models.signals import post_save
from pytest_django import Settings

from tests.plugin import FOLDER, POSTGRESQL
from tests.servers.brokers import Broker, FilesystemBroker, point_this_process_at
from tests.servers.engines import EngineAtWork
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.servers.temporal import NAMESPACE, Temporal
from tests.servers.worker import (
    StartCeleryWorker,
    StartTemporalWorker,
    StartWorker,
    Worker,
    celery_worker,
    environment,
    temporal_worker,
)
from triggers import engines
from triggers.engines.temporal import client

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> None:
    """The database server runs; pytest-django asks for this before it makes the test database."""
    if POSTGRESQL in request.config.stash:
        request.config.stash[POSTGRESQL].start()


@pytest.fixture(autouse=True)
def _forget_made_up_content_types() -> Iterator[None]:
    """Content types are remembered beyond a test's rollback, and their ids will be others'."""
    made_up = []

    def remember(instance: ContentType, created: bool, **_: Any) -> None:
        if created:
            made_up.append(instance)

    post_save.connect(remember, sender=ContentType)
    yield
    post_save.disconnect(remember, sender=ContentType)
    if made_up:
        ContentType.objects.clear_cache()


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> Iterator[Redis]:
    """A Redis server, not started yet."""
    server = Redis(request.config.stash[FOLDER])
    yield server
    server.stop()


@pytest.fixture(scope="session")
def rabbitmq_server(request: pytest.FixtureRequest) -> Iterator[RabbitMQ]:
    """A RabbitMQ node, not started yet."""
    server = RabbitMQ(request.config.stash[FOLDER])
    yield server
    server.stop()


@pytest.fixture
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """
    Celery publishes from this process to a running, empty broker.

    Redis with PostgreSQL and the filesystem with SQLite, unless the test names others:
    ``parametrize("broker", ["redis", "filesystem"], indirect=True)``.
    """
    default = "redis" if POSTGRESQL in request.config.stash else "filesystem"
    broker: Broker
    match getattr(request, "param", default):
        case "redis" | "rabbitmq" as name:
            broker = request.getfixturevalue(f"{name}_server")
        case "filesystem":
            broker = FilesystemBroker(tmp_path / "broker")
        case other:
            raise ValueError(f"no such broker: {other}")
    broker.stop()
    broker.start()
    point_this_process_at(broker.url)
    yield broker
    point_this_process_at(f"filesystem://{request.config.stash[FOLDER]}/broker")


@pytest.fixture
def random(request: pytest.FixtureRequest) -> Random:
    """Random numbers that ``--seed`` with the seed printed in the header gives again."""
    return Random(f"{request.config.getoption('seed')} {request.node.name}")


@pytest.fixture
def quick(settings: Settings) -> None:
    """Abandoned and undelivered work is found within a second or three, here and in workers started here."""
    settings.TRIGGERS_LEASE = timedelta(seconds=3)
    settings.TRIGGERS_SWEEP_INTERVAL = timedelta(seconds=1)
    settings.TRIGGERS_HANDOVER_GRACE = timedelta(seconds=1)


@pytest.fixture
def engine(request: pytest.FixtureRequest, broker: Broker) -> EngineAtWork:
    """
    The default engine: Celery with a pool of processes, unless the test names others:
    ``parametrize("engine", ["celery", "celery-threads", "temporal"], indirect=True)``.
    """
    name, _, pool = getattr(request, "param", "celery").partition("-")
    if name == "temporal":
        return EngineAtWork(name, request.getfixturevalue("temporal"))
    return EngineAtWork(name, broker, pool or "prefork")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Worker]]:
    """Workers that are killed at the end of the test."""
    workers: list[Worker] = []
    yield workers
    for worker in workers:
        worker.kill()
        # Seen only when the test has failed, as everything captured.
        print(f"--- {worker.log.name}\n{worker.output()}")


@pytest.fixture
def start_celery_worker(
    quick: None, broker: Broker, transactional_db: None, tmp_path: Path, started: list[Worker]
) -> StartCeleryWorker:
    """Starts Celery workers on the test's database and broker, with the settings as they are at that time."""

    def start_celery_worker(*, pool: str = "prefork", concurrency: int = 2, env: Mapping[str, str] = NOTHING) -> Worker:
        worker = celery_worker(
            log=tmp_path / f"worker{len(started) + 1}.log",
            env={**environment(broker.url, tmp_path), **env},
            pool=pool,
            concurrency=concurrency,
        )
        started.append(worker)
        worker.start()
        return worker

    return start_celery_worker


@pytest.fixture
def start_worker(engine: EngineAtWork, transactional_db: None, request: pytest.FixtureRequest) -> StartWorker:
    """Starts workers of the test's engine, with the settings as they are at that time."""
    if engine.name == "temporal":
        return _starts_temporal(request.getfixturevalue("start_temporal_worker"))
    return _starts_celery(request.getfixturevalue("start_celery_worker"), engine.pool)


def _starts_celery(start: StartCeleryWorker, pool: str) -> StartWorker:
    def start_worker(*, concurrency: int = 2, env: Mapping[str, str] = NOTHING, undying: bool = False) -> Worker:
        assert not undying or pool == "prefork", "only this pool replaces its processes"
        return start(pool=pool, concurrency=concurrency, env=env)

    return start_worker


def _starts_temporal(start: StartTemporalWorker) -> StartWorker:
    def start_worker(*, concurrency: int = 2, env: Mapping[str, str] = NOTHING, undying: bool = False) -> Worker:
        command = "undying_worker" if undying else "temporal_worker"
        return start("--concurrency", str(concurrency), env=env, command=command)

    return start_worker


@pytest.fixture
def worker(start_worker: StartWorker) -> Worker:
    """A worker that does two things at a time."""
    return start_worker()


@pytest.fixture(scope="session")
def temporal_server(request: pytest.FixtureRequest) -> Iterator[Temporal]:
    """A Temporal server, not started yet."""
    server = Temporal(request.config.stash[FOLDER])
    yield server
    server.stop()


@pytest.fixture
def temporal(temporal_server: Temporal, settings: Settings) -> Iterator[Temporal]:
    """Temporal is the default engine, with a running server and a task queue of the test's own."""
    temporal_server.start()
    point_this_process_at_temporal(temporal_server, settings)
    yield temporal_server
    temporal_server.start()  # a test may have stopped it
    engines.get.cache_clear()


def point_this_process_at_temporal(server: Temporal, settings: Settings) -> None:
    settings.TRIGGERS_USE_TEMPORAL = True
    settings.TEMPORAL_HOST = server.host
    settings.TEMPORAL_NAMESPACE = NAMESPACE
    settings.TEMPORAL_TASK_QUEUE = f"tests-{uuid4()}"
    client.forget()
    engines.get.cache_clear()  # the engine forgets that a server was away


@pytest.fixture
def start_temporal_worker(
    quick: None, temporal: Temporal, transactional_db: None, tmp_path: Path, started: list[Worker]
) -> StartTemporalWorker:
    """Starts Temporal workers on the test's database and task queue, with the settings as they are at that time."""

    def start_temporal_worker(
        *options: str, env: Mapping[str, str] = NOTHING, command: str = "temporal_worker"
    ) -> Worker:
        worker = temporal_worker(
            *options,
            command=command,
            log=tmp_path / f"temporal-worker{len(started) + 1}.log",
            env={**environment(os.environ["CELERY_BROKER_URL"], tmp_path), "PROBE_HEARTBEAT": "3", **env},
        )
        started.append(worker)
        worker.start()
        return worker

    return start_temporal_worker
