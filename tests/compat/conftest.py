"""Projects of other people, on databases of their own, on this version and on the one that was released."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.compat.databases import Database
from tests.plugin import POSTGRESQL

ROOT = Path(__file__).resolve().parent.parent.parent
LEGACY = Path(__file__).resolve().parent / "legacy"


@dataclass(frozen=True)
class Project:
    """The project in ``legacy``, on one version of dj-triggers and one database."""

    python: Path | str
    database: Database
    env: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        paths = [LEGACY, ROOT] if self.python == sys.executable else [LEGACY]
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(path) for path in paths),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DJANGO_SETTINGS_MODULE": "website.settings",
            "DATABASE_URL": self.database.url,
            "CELERY_BROKER_URL": "memory://",
            **self.env,
        }

    def manage(self, *commands: str) -> str:
        """What the management commands print, one after the other in one process; fails with all of it if one does."""
        done = self.try_to_manage(*commands)
        assert done.returncode == 0, f"{', '.join(commands)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def try_to_manage(self, *commands: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), "manage_all.py", *commands],
            cwd=LEGACY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def new_database(
    request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> Iterator[Callable[[], Database]]:
    """Makes empty databases on the server of this test run."""
    server = request.config.stash.get(POSTGRESQL, None)
    if server is not None:
        request.getfixturevalue("django_db_modify_db_settings")  # starts it
    with django_db_blocker.unblock():
        yield lambda: Database.on_postgresql(server) if server else Database.on_sqlite(tmp_path)


@pytest.fixture
def database(new_database: Callable[[], Database]) -> Database:
    """An empty database on the server of this test run."""
    return new_database()


@pytest.fixture
def project(database: Database) -> Project:
    """The project on this version."""
    return Project(sys.executable, database)


@pytest.fixture(scope="session")
def released_python(request: pytest.FixtureRequest) -> Path:
    """
    The interpreter of an environment of its own, with dj-triggers 1.0.1 and what it needs from the package index.

    It is kept in pytest's cache folder, so that only the first run needs the network.
    """
    requirements = LEGACY / "requirements.txt"
    version = "{}.{}".format(*sys.version_info)
    folder = request.config.cache.mkdir(f"dj-triggers-1.0.1-python{version}")
    python = folder / "bin" / "python"
    complete = folder / "requirements.txt"
    if not complete.exists() or complete.read_text() != requirements.read_text():
        make: list[str | Path] = [sys.executable, "-m", "venv", "--clear", folder]
        install: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "-r", requirements]
        for command in (make, install):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.fail(
                    "dj-triggers 1.0.1 could not be installed: tests marked “network” need the package index.\n"
                    f"{done.stdout}{done.stderr}",
                    pytrace=False,
                )
        complete.write_text(requirements.read_text())
    return python


@pytest.fixture
def released(released_python: Path, database: Database) -> Project:
    """The project on dj-triggers 1.0.1."""
    return Project(released_python, database)
