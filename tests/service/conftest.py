import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.plugin import POSTGRESQL
from tests.servers.redis import Redis
from tests.service.running import TRIGGERS, Triggers


@pytest.fixture
def triggers(tmp_path: Path) -> Iterator[Triggers]:
    """The command in an empty folder; none of its processes outlives the test."""
    triggers = Triggers(tmp_path / "folder")
    yield triggers
    triggers.kill()
    for log in sorted(triggers.folder.glob("output*")):
        # Seen only when the test has failed, as everything captured.
        print(f"--- {log.name}\n{log.read_text(errors='replace')}")


@pytest.fixture
def commands(triggers: Triggers, tmp_path: Path) -> Path:
    """Shells find a folder with the command triggers, and with a curl if the machine has none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "triggers").symlink_to(TRIGGERS)
    if shutil.which("curl") is None:
        curl = folder / "curl"
        curl.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("curl.py")} "$@"\n')
        curl.chmod(0o755)
    triggers.env["PATH"] = f"{folder}:{triggers.env['PATH']}"
    return folder


@pytest.fixture
def elsewhere(
    request: pytest.FixtureRequest, django_db_modify_db_settings: None, redis_server: Redis
) -> dict[str, str]:
    """An empty PostgreSQL database and an empty Redis, as environment variables."""
    url = request.config.stash[POSTGRESQL].url
    with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS service")
        connection.execute("CREATE DATABASE service")
    redis_server.stop()
    redis_server.start()
    return {"DATABASE_URL": url.rpartition("/")[0] + "/service", "CELERY_BROKER_URL": redis_server.url}
