"""
The part of the test harness that must act before Django reads its settings.

It chooses the database, ``--database postgresql`` (the default) or ``sqlite``, and gives the run a
folder of its own, so that several runs at a time do not meet. Servers are started by the fixtures in
``conftest.py`` once a test needs them.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import randrange

import pytest

from tests.servers.postgresql import PostgreSQL

FOLDER = pytest.StashKey[Path]()
POSTGRESQL = pytest.StashKey[PostgreSQL]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=("postgresql", "sqlite"),
        default="postgresql",
        help="the database that the tests run on",
    )
    parser.addoption("--fuzz-seed", type=int, default=1, help="what generated requests are made from")
    parser.addoption("--fuzz-examples", type=int, default=40, help="how many requests of each operation are made up")
    parser.addoption("--fuzz-apps", default="", help="apps whose components generated requests are about too")
    parser.addoption("--seed", type=int, default=randrange(10**6), help="what random choices in tests are made from")


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Set the environment; a wrapper, because pytest-django reads the settings in this hook."""
    folder = early_config.stash[FOLDER] = Path(tempfile.mkdtemp(prefix="dj-triggers-tests-"))
    os.environ["CELERY_BROKER_URL"] = f"filesystem://{folder}/broker"
    if early_config.known_args_namespace.database == "postgresql":
        server = early_config.stash[POSTGRESQL] = PostgreSQL(folder)
        os.environ["DATABASE_URL"] = server.url
    else:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/db.sqlite3"
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if POSTGRESQL in config.stash:
        config.stash[POSTGRESQL].stop()
    if FOLDER in config.stash:
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


def pytest_report_header(config: pytest.Config) -> str:
    return f"database: {config.getoption('database')}, seed: {config.getoption('seed')}"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "postgresql: what only PostgreSQL can do; left out on SQLite")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("database") == "sqlite":
        left_out = [item for item in items if item.get_closest_marker("postgresql")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
