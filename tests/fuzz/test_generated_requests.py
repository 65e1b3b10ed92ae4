"""
Thousands of requests, made by schemathesis of the schema that a server tells, are answered as the schema says.

``make fuzz ARGS="--fuzz-seed 7 --fuzz-examples 1000 --fuzz-apps tests.probe,tests.variety"`` makes others, and more.
"""

import json
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.fuzz import report
from tests.servers.brokers import FilesystemBroker
from tests.servers.web import Web
from tests.servers.worker import ROOT, environment

HERE = Path(__file__).parent
SCRIPTS = Path(sysconfig.get_path("scripts"))
#: How many requests there are at least, and how many of each operation are accepted.
REQUESTS, ACCEPTED = 2_000, 20


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
        [SCRIPTS / "python", "-m", "tests.fuzz"], env=env, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    env["FUZZ_TOKEN"] = made.stdout.strip()
    web = Web(log=tmp_path / "web.log", env=env)
    web.start()
    env["FUZZ_URL"] = web.url
    yield web
    web.stop()
    print(web.output()[-10_000:])  # seen only when the test has failed


@pytest.mark.postgresql
@pytest.mark.timeout(1800)
def test_generated_requests_are_answered_as_the_schema_says(
    request: pytest.FixtureRequest, env: dict[str, str], web: Web, tmp_path: Path
) -> None:
    said = run(request.config, env, web, tmp_path)

    answers = report.read(tmp_path / "events.ndjson")
    print(report.table(answers))
    assert said.returncode == 0, said.stdout
    assert not {operation: statuses for operation, statuses in answers.items() if report.failed(statuses)}
    assert sum(statuses.total() for statuses in answers.values()) >= REQUESTS
    counts = {operation: report.accepted(answers[operation]) for operation in operations(web)}
    assert not {operation: count for operation, count in counts.items() if count < ACCEPTED}


def run(config: pytest.Config, env: dict[str, str], web: Web, folder: Path) -> Any:
    """All checks of all phases, one request at a time."""
    command = [
        *(SCRIPTS / "schemathesis", "--config-file", HERE / "schemathesis.toml", "--no-color", "run"),
        *(f"{web.url}/api/v1/schema/", "--header", f"Authorization: Token {env['FUZZ_TOKEN']}"),
        *("--seed", config.getoption("fuzz_seed"), "--max-examples", config.getoption("fuzz_examples")),
        *("--report-ndjson-path", folder / "events.ndjson"),
    ]
    arguments = [str(argument) for argument in command]
    return subprocess.run(arguments, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def operations(web: Web) -> Iterator[str]:
    with urlopen(f"{web.url}/api/v1/schema/?format=json") as answer:
        paths = json.load(answer)["paths"]
    for path, methods in paths.items():
        for method in methods:
            yield f"{method.upper()} {path}"
