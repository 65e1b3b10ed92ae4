"""What firing and running cost the database, in statements."""

import re
from collections import Counter

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

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


def test_firing_for_one_user_takes_ten_statements_in_one_transaction() -> None:
    first, second = people(2)
    a_trigger(RecordEffectAction(), conditions=[ActionCountCondition(limit=1)])
    fire("probe.ProbeEvent", users=first)  # from here on content types are known

    with CaptureQueriesContext(connection) as queries:
        fire("probe.ProbeEvent", users=second)

    cost = statements(queries)
    assert (cost["BEGIN"], cost["COMMIT"]) == (1, 1)
    assert cost.total() == 10, cost
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


@pytest.mark.parametrize("actions", [1, 2, 3])
def test_each_action_of_a_run_takes_as_much_and_one_look_whether_the_run_was_cancelled_before_the_next(
    actions: int,
) -> None:
    a_trigger(*(RecordEffectAction() for _ in range(actions)), conditions=[ActionCountCondition(limit=1)])
    cost_of_running(1, "first")
    half, whole = cost_of_running(10, "half"), cost_of_running(20, "whole")

    each = {
        "BEGIN": actions,
        "INSERT probe_effect": actions,
        "INSERT triggers_step": actions,
        "UPDATE triggers_run": actions,
        "COMMIT": actions,
        "SELECT triggers_run": actions - 1,
    }
    assert whole - half == {kind: 10 * number for kind, number in each.items() if number}


@pytest.mark.parametrize("actions", [1, 2, 3])
def test_a_firing_request_takes_nineteen_statements_however_many_actions_there_are(actions: int) -> None:
    a_trigger(*(RecordEffectAction() for _ in range(actions)), conditions=[ActionCountCondition(limit=1)])
    first, second = people(2)
    system = User.objects.create(username="system")
    system.user_permissions.add(Permission.objects.get(codename="fire_event"))
    client = APIClient(headers={"Authorization": f"Token {Token.objects.create(user=system).key}"})

    def request(user: User) -> None:
        body = {"type": "probe.ProbeEvent", "user": str(user.pk)}
        response = client.post("/api/v1/fire/", body, format="json", headers={"Idempotency-Key": f"key {user.pk}"})
        assert response.status_code == 202, response.content

    request(first)  # from here on content types are known
    with CaptureQueriesContext(connection) as queries:
        request(second)

    cost = statements(queries)
    # The token, permissions (2); the events, conditions (2), actions, filters; the occurrence, whether a run may be
    # waiting, the run; for the answer, runs and chunks. The transaction and two savepoints.
    assert cost.total() == 19, cost
    assert (cost["BEGIN"], cost["COMMIT"], cost["SAVEPOINT"], cost["RELEASE"]) == (1, 1, 2, 2)
    assert {kind: number for kind, number in cost.items() if kind.startswith(("INSERT", "UPDATE"))} == {
        "INSERT triggers_occurrence": 1,
        "INSERT triggers_run": 1,
    }
