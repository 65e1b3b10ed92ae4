"""A Celery worker's connection to the database lasts from one task to the next, for as long as CONN_MAX_AGE says."""

import pytest
from django.db import connection

from tests.acceptance.scenario import a_trigger, outcomes, people, wait_for_runs
from tests.probe.models import RecordEffectAction
from tests.servers.worker import StartWorker
from tests.waiting import wait_until
from triggers import fire

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.parametrize("engine", ["celery-prefork", "celery-solo"], indirect=True),
]


def other_connections(*, after: str = "") -> set[int]:
    """What is connected to the test's database besides the test; only those whose last statement holds the words."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
            " AND backend_type = 'client backend' AND position(%s in query) > 0",
            [after],
        )
        return {pid for (pid,) in cursor.fetchall()}


@pytest.fixture
def kept(start_worker: StartWorker) -> int:
    """The one connection of a worker that has performed one run."""
    a_trigger(RecordEffectAction())
    start_worker(concurrency=1)
    fire("probe.ProbeEvent", users=people(1, prefix="first"))
    wait_for_runs(1)
    found = wait_until(lambda: len(pids := other_connections(after="triggers_run")) == 1 and pids)
    assert found
    return found.pop()


def test_the_next_task_uses_the_connection_of_the_last(kept: int) -> None:
    for number in range(3):
        fire("probe.ProbeEvent", users=people(1, prefix=f"next{number}"))
        wait_for_runs(number + 2)
        assert kept in other_connections()
    assert outcomes() == {"succeeded": 4}


def test_one_that_has_ended_meanwhile_is_made_anew(kept: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [kept])
    wait_until(lambda: kept not in other_connections())
    fire("probe.ProbeEvent", users=people(1, prefix="next"))
    wait_for_runs(2)
    assert outcomes() == {"succeeded": 2}
    wait_until(other_connections)
