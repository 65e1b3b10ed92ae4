"""A server whose database holds something of everything."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.brokers import FilesystemBroker
from tests.servers.web import Web
from tests.servers.worker import ROOT, environment


@pytest.fixture
def env(request: pytest.FixtureRequest, transactional_db: None, tmp_path: Path) -> dict[str, str]:
    """What the server and schemathesis share."""
    broker = FilesystemBroker(tmp_path / "broker")
    broker.start()
    return environment(broker.url, tmp_path) | {
        "DJANGO_SETTINGS_MODULE": "tests.fuzz.settings",
        "FUZZ_APPS": request.config.getoption("fuzz_apps"),
    }


@pytest.fixture
def web(env: dict[str, str], tmp_path: Path) -> Iterator[Web]:
    """The example project behind gunicorn; its database holds something of everything."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.fuzz"], env=env, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    env["FUZZ_TOKEN"] = made.stdout.strip()
    web = Web(log=tmp_path / "web.log", env=env)
    web.start()
    env["FUZZ_URL"] = web.url
    yield web
    web.stop()
    print(web.output()[-10_000:])  # seen only when the test has failed
