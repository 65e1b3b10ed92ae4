"""
The shop of docs/components.md is built from the page's blocks as an app of its own, migrated, and put to work: by the
test that the page shows, and by those of shop_at_work.py.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tests.docs.blocks import ROOT, blocks
from triggers import checks
from triggers.context import RESERVED_KEYS

PAGE = "docs/components.md"
SETTINGS = "from tests.app.settings import *\n\nINSTALLED_APPS = [*INSTALLED_APPS, 'shop']\n"


def test_the_shop_works(tmp_path: Path) -> None:
    files: dict[str, str] = defaultdict(str)
    for block in blocks(PAGE, "python"):
        assert block.file is not None
        files[block.file] += block.body + "\n\n"
    assert set(files) == {"shop/models.py", "shop/orders.py", "shop/serializers.py", "test_shop.py"}
    (tmp_path / "shop").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["triggers.testing.fixtures"]\n')
    (tmp_path / "pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE = settings\n")
    shutil.copy(ROOT / "tests/docs/shop_at_work.py", tmp_path / "test_shop_at_work.py")

    for command in (
        ["django", "check", "--fail-level", "WARNING"],
        ["django", "makemigrations", "shop"],
        ["pytest", "-q", "-p", "no:cacheprovider"],
    ):
        run = subprocess.run(
            [sys.executable, "-W", "error", "-m", *command],
            cwd=tmp_path,
            env=os.environ
            | {
                "DJANGO_SETTINGS_MODULE": "settings",
                "PYTHONPATH": f"{tmp_path}:{ROOT}",
                "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
            },
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"^(\d+) passed", run.stdout, re.MULTILINE)


def test_the_names_that_are_taken_are_all_told() -> None:
    page = (ROOT / PAGE).read_text()
    paragraph = page[page.index("## Over HTTP") : page.index("```http")]
    reserved = {"type", *(name for names in checks._RESERVED.values() for name in names)}
    assert all(f"`{name}`" in paragraph for name in reserved)
    keys = page[page.index("The keys `") : page.index("are taken.")]
    assert set(re.findall(r"`(\w+)`", keys)) == RESERVED_KEYS
