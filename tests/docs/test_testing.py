"""The tests shown in docs/testing.md are run, by pytest in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import ROOT, blocks


def test_the_tests_that_are_shown_pass(tmp_path: Path) -> None:
    plugins, *shown = blocks("docs/testing.md", "python")
    (tmp_path / "conftest.py").write_text(plugins.body)
    for number, block in enumerate(shown):
        (tmp_path / f"test_shown{number}.py").write_text(block.body)
    (tmp_path / "pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE = tests.app.settings\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
    assert "2 passed" in run.stdout
