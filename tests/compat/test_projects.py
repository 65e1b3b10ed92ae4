"""Projects unlike the example one: each is set up from nothing and plays its scenario, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compat.conftest import ROOT
from tests.compat.databases import Database

PROJECTS = sorted(path.parent.name for path in (ROOT / "tests/compat/projects").glob("*/scenario.py"))


def test_there_are_projects() -> None:
    assert len(PROJECTS) == 8


@pytest.mark.parametrize("project", PROJECTS)
def test_it_works_in_the_project(project: str, tmp_path: Path, new_database: Callable[[], Database]) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:triggers", "-m", "tests.compat.projects", project],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)]),
            "DATABASE_URL": new_database().url,
            "SECOND_DATABASE_URL": new_database().url,
            "CELERY_BROKER_URL": "memory://",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
