"""The saved histories are those of the workflows of today."""

from pathlib import Path

import pytest

from tests.replay.histories import RELEASE, outline, saved
from tests.replay.record import record


@pytest.mark.django_db(transaction=True)
def test_what_is_recorded_anew_is_what_is_saved(tmp_path: Path) -> None:
    """If not: ``make histories``, after a look at whether the workflows were to change."""
    recorded, expected = record(tmp_path), saved(RELEASE)
    assert sorted(recorded) == sorted(expected)
    for name in recorded:
        assert outline(recorded[name]) == outline(expected[name]), name
