"""The client for Python that openapi-python-client makes of the schema."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.clients.conftest import SCHEMA

FOLDER = Path(__file__).parent / "python"
STORY = FOLDER / "story.py"
SETTINGS = FOLDER / "generator.yaml"
GENERATE = (
    "openapi-python-client generate --path dj-triggers.yaml --config generator.yaml"
    " --meta none --output-path dj_triggers_client"
)


def run(*command: str, folder: Path) -> None:
    """The command, of this environment, has ended well in the folder."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    env = os.environ | {"PATH": path, "PYTHONPATH": ""}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the story and the client, which was made without a warning."""
    folder = tmp_path_factory.mktemp("python")
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    shutil.copy(SCHEMA, folder / "dj-triggers.yaml")
    run(*GENERATE.split(), "--fail-on-warning", folder=folder)
    return folder


def test_the_story_type_checks(folder: Path) -> None:
    # That the generator writes casts which are not needed is no fault of the story, nor of the schema.
    options = ["--strict", "--no-warn-redundant-casts", "--config-file=", "--cache-dir=cache"]
    run(sys.executable, "-m", "mypy", *options, "story.py", folder=folder)


def test_the_story_comes_true(folder: Path, service: list[str]) -> None:
    run(sys.executable, "story.py", *service, folder=folder)
