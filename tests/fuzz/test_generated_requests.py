"""
Thousands of requests, made by schemathesis of the schema that a server tells, are answered as the schema says.

``make fuzz ARGS="--fuzz-seed 7 --fuzz-examples 1000 --fuzz-apps tests.probe,tests.variety"`` makes others, and more.
"""

import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.fuzz import report
from tests.servers.web import Web

HERE = Path(__file__).parent
SCRIPTS = Path(sysconfig.get_path("scripts"))
#: How many requests there are at least, and how many of each operation are accepted.
REQUESTS, ACCEPTED = 2_000, 20
#: How long it may take, in seconds: with the few examples of every day, and for each that is asked for.
WITHIN, PER_EXAMPLE = 1800, 60


@pytest.mark.postgresql
@pytest.mark.timeout(0)  # the command has its own
def test_generated_requests_are_answered_as_the_schema_says(
    request: pytest.FixtureRequest, env: dict[str, str], web: Web, tmp_path: Path
) -> None:
    said = run(request.config, env, web, tmp_path)

    answers = report.read(tmp_path / "events.ndjson")
    print(report.table(answers, operations(web)))
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
    return subprocess.run(
        [str(argument) for argument in command],
        env=env,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=max(WITHIN, config.getoption("fuzz_examples") * PER_EXAMPLE),
    )


def operations(web: Web) -> list[str]:
    with urlopen(f"{web.url}/api/v1/schema/?format=json") as answer:
        paths = json.load(answer)["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
