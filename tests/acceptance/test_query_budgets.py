"""What firing and running cost the database, in statements."""

import re
from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.acceptance.scenario import a_trigger, outcomes, people
from tests.probe.models import BulkEffectAction, RecordEffectAction
from triggers import fire, running
from triggers.models import ActionCountCondition, Run

pytestmark = pytest.mark.django_db(transaction=True)


def statements(queries: CaptureQueriesContext) -> Counter[str]:
    """Return how often each kind of statement was made on each table."""
    found: Counter[str] = Counter()
    for query in queries.captured_queries:
        sql = query["sql"]
        table = re.search(r'(?:FROM|INTO|UPDATE) "(\w+)"', sql)
        found[f"{sql.split()[0]} {table[1] if table else ''}".strip()] += 1
    return found


def cost_of_running(number: int, prefix: str) -> Counter[str]:
    """Return what it costs to advance one chunk of that many runs."""
    occurrence = fire("probe.ProbeEvent", users=people(number, prefix=prefix))
    run_ids = list(Run.objects.filter(occurrence=occurrence).values_list("pk", flat=True))
    assert len(run_ids) == number
    with CaptureQueriesContext(connection) as queries:
        running.advance(run_ids)
    assert outcomes(occurrence=occurrence) == {"succeeded": number}
    return statements(queries)


def test_firing_for_one_user_takes_fourteen_statements_in_one_transaction() -> None:
    first, second = people(2)
    a_trigger(RecordEffectAction(), conditions=[ActionCountCondition(limit=1)])
    fire("probe.ProbeEvent", users=first)  # from here on content types are known

    with CaptureQueriesContext(connection) as queries:
        fire("probe.ProbeEvent", users=second)

    cost = statements(queries)
    assert (cost["BEGIN"], cost["COMMIT"]) == (1, 1)
    assert cost.total() <= 14, cost
    assert cost["SELECT triggers_run"] == 1  # whether one of the user's may be waiting for the event


def test_a_run_of_one_action_takes_one_insert_and_one_update_beyond_the_action() -> None:
    a_trigger(RecordEffectAction(), conditions=[ActionCountCondition(limit=1)])
    cost_of_running(1, "first")
    half, whole = cost_of_running(50, "half"), cost_of_running(100, "whole")

    assert whole - half == {
        "BEGIN": 50,
        "INSERT probe_effect": 50,
        "INSERT triggers_step": 50,
        "UPDATE triggers_run": 50,
        "COMMIT": 50,
    }
    # What the chunk costs as a whole: claiming, the definition, conditions and reservations.
    assert half.total() - (whole - half).total() <= 30, half


def test_runs_that_are_performed_together_share_even_that() -> None:
    a_trigger(BulkEffectAction(), conditions=[ActionCountCondition(limit=1)])
    cost_of_running(1, "first")

    whole = cost_of_running(100, "whole")

    assert whole.total() <= 35, whole
