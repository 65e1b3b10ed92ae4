"""Tests that call the domain functions themselves, in one process and without a broker."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User

from triggers.models import Occurrence, Run
from triggers.running import advance

#: By then everything is due.
FAR = datetime(9000, 1, 1, tzinfo=UTC)


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", "ada@example.com")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", "bob@example.com")


@pytest.fixture
def run_to_the_end() -> Callable[..., list[Run]]:
    """Advances the open runs, of an occurrence or of all, until none is left; returns them."""

    def run_to_the_end(occurrence: Occurrence | None = None, rounds: int = 20) -> list[Run]:
        runs = Run.objects.all() if occurrence is None else occurrence.runs.all()
        now = None
        for _ in range(rounds):
            if not (run_ids := ids(runs.open())):
                break
            now = max((run.due_at for run in advance(run_ids, now=now) if run.due_at), default=now)
        return list(runs.order_by("pk"))

    return run_to_the_end


def ids(runs: Iterable[Run]) -> list[Any]:
    return [run.pk for run in runs]
