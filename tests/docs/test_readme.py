"""What the README says is tried: its code is run, its commands exist, its table of settings is complete."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.urls import include, path

from tests.acceptance.scenario import wait_for_runs
from tests.docs.blocks import ROOT, Block, blocks
from tests.servers.worker import Worker
from tests.waiting import wait_until
from triggers import conf
from triggers.models import Occurrence, Run

PYTHON = blocks("README.md", "python")
COMMANDS = [line for block in blocks("README.md", "console") for line in block.text.splitlines()]


@pytest.mark.parametrize("block", [block for block in PYTHON if block.file == "tests/app/models.py"])
def test_excerpts_stand_in_the_example_project_word_for_word(block: Block) -> None:
    assert block.body in (ROOT / "tests/app/models.py").read_text()


def test_the_quickstart_does_what_it_says(worker: Worker, tmp_path: Path) -> None:
    set_up, use, *rest = [block for block in PYTHON if "from tests.app.models import" in block.body]
    names: dict[str, Any] = {}
    for block in (set_up, use):
        exec(block.body, names)
    wait_for_runs(2)
    # Which of the two is performed depends on the worker's processes.
    assert sorted((run.status, run.code) for run in Run.objects.all()) == [
        ("skipped", "limit_reached"),
        ("succeeded", ""),
    ]
    decision = Run.objects.get(status="skipped").decision
    assert decision is not None
    assert (decision["required"], decision["observed"]) == ("at most 1 time for each person", "1 time so far")
    wait_until(lambda: list((tmp_path / "mail").glob("*")), message=lambda: "the e-mail")
    (mail,) = (tmp_path / "mail").glob("*")
    assert "Subject: Well done, Ada" in mail.read_text()

    (firing,) = rest
    exec(firing.body, names)
    occurrence = names["occurrence"]
    assert isinstance(occurrence, Occurrence)
    assert occurrence.matches[0]["code"] == "event_not_concerned"


def test_the_blocks_for_settings_and_urls_run() -> None:
    names: dict[str, Any] = {"urlpatterns": [], "path": path, "include": include}
    settings, api = (block for block in PYTHON if block.body.startswith("INSTALLED_APPS"))
    exec(settings.body + api.body, names)
    assert names["INSTALLED_APPS"] == ["polymorphic", "triggers", "rest_framework", "triggers_api"]
    (urls,) = (block for block in PYTHON if block.file == "urls.py")
    exec(urls.body, names)
    assert len(names["urlpatterns"]) == 1


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("make ")])
def test_make_knows_the_commands(command: str) -> None:
    subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("python manage.py ")])
def test_manage_py_knows_the_commands(command: str, tmp_path: Path) -> None:
    dry = ["--check"] if "makemigrations" in command else []
    subprocess.run(
        [sys.executable, "tests/manage.py", *command.split()[2:], *dry],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"},
        check=True,
        capture_output=True,
    )


def test_there_are_no_commands_of_other_kinds() -> None:
    assert [command for command in COMMANDS if not command.startswith(("make ", "python manage.py "))] == [
        "pip install dj-triggers"
    ]


def test_the_extras_that_are_named_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set(re.findall(rf"{project['name']}\[(\w+)\]", (ROOT / "README.md").read_text()))
    assert named <= set(project["optional-dependencies"])


def test_every_setting_is_in_the_table() -> None:
    named = re.findall(r"^\| `(TRIGGERS_\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(set(named) - {"TRIGGERS_DATA"}) == sorted(conf.DEFAULTS)


def test_every_variable_of_the_service_is_in_the_table() -> None:
    settings = (ROOT / "triggers_api/service/settings.py").read_text()
    read = set(re.findall(r"env\.\w+\(\"(\w+)\"", settings))
    named = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {name for name in named if name not in conf.DEFAULTS} == read - set(conf.DEFAULTS)


def test_links_lead_somewhere() -> None:
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!http|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
