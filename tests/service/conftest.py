from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.running import Triggers


@pytest.fixture
def triggers(tmp_path: Path) -> Iterator[Triggers]:
    """The command in an empty folder; none of its processes outlives the test."""
    triggers = Triggers(tmp_path / "folder")
    yield triggers
    triggers.kill()
    for log in sorted(triggers.folder.glob("output*")):
        # Seen only when the test has failed, as everything captured.
        print(f"--- {log.name}\n{log.read_text(errors='replace')}")
