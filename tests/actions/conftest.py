from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.acceptance.scenario import a_trigger
from tests.probe.models import ProbeEvent
from triggers import fire
from triggers.models import Action, Run
from triggers.running import advance
from triggers.testing import without_broker

Perform = Callable[..., Run]


@pytest.fixture
def no_broker() -> Iterator[None]:
    with without_broker():
        yield


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", "ada@example.com", first_name="Ada")


@pytest.fixture
def perform(ada: User, no_broker: None) -> Perform:
    """The action is performed for Ada, once or as often as it asks for, whatever pauses it asks for."""

    def perform(action: Action, *, attempts: int = 1, **context: Any) -> Run:
        a_trigger(action)
        run = fire(ProbeEvent, users=ada, context=context).runs.get()
        for _ in range(attempts):
            advance([run.pk], now=run.due_at)
            run.refresh_from_db()
        return run

    return perform
