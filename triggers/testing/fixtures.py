"""
The fixture ``run_triggers`` for pytest: ``pytest_plugins = ["triggers.testing.fixtures"]`` in ``conftest.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from triggers.models import Run
from triggers.testing import run_triggers as _run_triggers
from triggers.testing import without_broker


@pytest.fixture
def run_triggers(db: None) -> Iterator[Callable[..., list[Run]]]:
    """Nothing is handed to a broker; call it to perform what was fired."""
    with without_broker():
        yield _run_triggers
