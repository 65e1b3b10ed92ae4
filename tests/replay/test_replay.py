"""Workflows that are under way go on with the code of today: what has happened to them happens again in it."""

import subprocess
import sys
from collections.abc import Sequence

import pytest
from temporalio.client import WorkflowHistory

from tests.replay import changed
from tests.replay.histories import FOLDER, RELEASE, outline, replay, saved
from tests.servers.worker import ROOT

EVERY = saved(FOLDER)
OF_THIS_RELEASE = saved(RELEASE)


@pytest.mark.parametrize("history", EVERY.values(), ids=EVERY)
def test_a_saved_history_goes_on(history: WorkflowHistory) -> None:
    assert replay(history) is None


def broken_by(workflows: Sequence[type]) -> set[str]:
    """The shapes whose histories do not go on with these workflows."""
    failures = {name: replay(history, workflows) for name, history in OF_THIS_RELEASE.items()}
    broken = {name: failure for name, failure in failures.items() if failure is not None}
    assert [failure for failure in broken.values() if "[TMPRL1100] Nondeterminism error" not in failure] == []
    return set(broken)


def test_an_activity_that_is_added_breaks_every_history() -> None:
    assert broken_by(changed.ACTIVITY) == set(OF_THIS_RELEASE)


def test_a_sleep_that_is_added_breaks_every_history_that_does_not_begin_with_one() -> None:
    # Lengths of timers are not compared: the first of these is taken for the one that was added.
    begin_with_one = {"delayed", "chunk_delayed"}
    assert broken_by(changed.SLEEP) == set(OF_THIS_RELEASE) - begin_with_one


def test_timers_that_are_left_out_break_every_history_that_has_some() -> None:
    have_some = {name for name, history in OF_THIS_RELEASE.items() if "TIMER_STARTED" in outline(history)}
    assert broken_by(changed.WITHOUT_TIMERS) == have_some - {"chunk_delayed"}


def test_a_sleep_that_is_added_behind_a_patch_breaks_none() -> None:
    assert broken_by(changed.PATCHED_SLEEP) == set()


ALONE = """
import sys
from tests.replay.histories import replay, saved
assert [failure for failure in map(replay, saved().values()) if failure] == []
print([name for name in sys.modules if name.partition(".")[0] == "django"])
"""


def test_this_needs_no_django() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_the_files_name_no_machine_and_no_process() -> None:
    text = "".join(path.read_text() for path in FOLDER.rglob("*.json"))
    assert [word for word in ("identity", "STICKY", "workerVersion", "@", "stackTrace") if word in text] == []
