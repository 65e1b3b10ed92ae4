"""``GET occurrences/{id}/`` and ``GET runs/{id}/``: what became of an event."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, problem
from tests.api.records import moment, performed_run, run_as_json, url
from tests.probe.models import ChainAction, KeepAction, ProbeEvent, RecordEffectAction, RefusingAction
from triggers import fire
from triggers.models import ActionCountCondition, Activity, Occurrence, Run, Step, Trigger
from triggers.running import advance

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(client_with: StartClient) -> APIClient:
    """May read all that was fired by anybody."""
    return client_with("view_occurrence", "view_run", "view_context", username="reader")


def test_a_run_tells_its_steps(reader: APIClient, anna: User) -> None:
    run = performed_run(RecordEffectAction(on_failure="stop"), RefusingAction(), user=anna)

    response = reader.get(url(run))

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    succeeded, failed = run.steps.all()
    assert response.json() == run_as_json(
        run,
        [
            {
                "position": 0,
                "type": "probe.RecordEffectAction",
                "status": "succeeded",
                "attempts": 1,
                "started_at": moment(succeeded.started_at),
                "ended_at": moment(succeeded.ended_at),
                "detail": "",
                "result": None,
                "woken_by": None,
                "error_type": "",
                "error_message": "",
            },
            {
                "position": 1,
                "type": "probe.RefusingAction",
                "status": "failed",
                "attempts": 1,
                "started_at": moment(failed.started_at),
                "ended_at": moment(failed.ended_at),
                "detail": failed.detail,
                "result": None,
                "woken_by": None,
                "error_type": failed.error_type,
                "error_message": "it will never work",
            },
        ],
    )
    assert (run.status, run.code) == ("failed", "action_failed")
    assert failed.error_type.endswith("PermanentError")


def test_contexts_and_errors_are_hidden_without_their_permission(client_with: StartClient, anna: User) -> None:
    run = performed_run(RefusingAction(), user=anna)
    client = client_with("view_occurrence", "view_run", username="outsider")

    assert client.get(url(run.occurrence)).json()["context"] is None
    (step,) = client.get(url(run)).json()["steps"]
    assert step["error_message"] == "hidden: needs the permission triggers.view_context"


def test_what_an_action_has_kept_is_told_to_those_who_may_see_contexts(
    reader: APIClient, client_with: StartClient, anna: User
) -> None:
    a_trigger(KeepAction())
    run = fire(ProbeEvent, users=anna, context={"number": Decimal("1.50")}).runs.get()
    advance([run.pk])

    (step,) = reader.get(url(run)).json()["steps"]
    assert step["result"] == {"number": "1.50", "at": None}
    (step,) = client_with("view_run", username="outsider").get(url(run)).json()["steps"]
    assert step["result"] is None


def test_a_skipped_run_tells_the_condition_that_decided(reader: APIClient, anna: User) -> None:
    trigger = a_trigger(RecordEffectAction(), conditions=[ActionCountCondition(limit=1)])
    Activity.objects.create(trigger=trigger, user=anna, action_count=1)
    fire(ProbeEvent, users=anna)
    run = Run.objects.get()

    body = reader.get(url(run)).json()

    assert body == run_as_json(run, [])
    assert (body["status"], body["code"]) == ("skipped", "limit_reached")
    assert body["decision"] == {
        "condition": ActionCountCondition.objects.get().pk,
        "type": "triggers.ActionCountCondition",
        "name": "action count no more than 1",
        "required": "at most 1 time for each person",
        "observed": "1 time so far",
    }


def test_an_occurrence_tells_a_context_that_was_given_in_python(reader: APIClient, anna: User) -> None:
    context = {
        "when": datetime(2026, 1, 31, 9, tzinfo=UTC),
        "day": date(2026, 1, 31),
        "hour": time(9, tzinfo=UTC),
        "prices": [Decimal("1.50"), Decimal("NaN")],
        "id": UUID(int=1),
        "$": "cash",
    }
    occurrence = fire(ProbeEvent, users=anna, context=context, delay=timedelta(milliseconds=1))

    body = reader.get(url(occurrence)).json()

    assert body["delay"] == "P0DT00H00M00.001000S"
    assert body["context"] == {
        "when": "2026-01-31T09:00:00+00:00",
        "day": "2026-01-31",
        "hour": "09:00:00+00:00",
        "prices": ["1.50", "NaN"],
        "id": "00000000-0000-0000-0000-000000000001",
        "$": "cash",
    }


def test_an_occurrence_tells_which_run_caused_it(reader: APIClient, anna: User) -> None:
    a_trigger(ChainAction())
    run = fire(ProbeEvent, users=anna).runs.get()
    advance([run.pk])
    first, second = Occurrence.objects.order_by("pk")

    told = [reader.get(url(occurrence)).json() for occurrence in (first, second)]

    assert [(body["cause"], body["depth"]) for body in told] == [(None, 0), (str(run.pk), 1)]


def test_what_was_recorded_can_be_read_when_its_trigger_is_gone(reader: APIClient, anna: User) -> None:
    run = performed_run(RecordEffectAction(), user=anna)
    before = [reader.get(url(record)).json() for record in (run, run.occurrence)]

    Trigger.objects.get().delete()

    assert [reader.get(url(record)).json() for record in (run, run.occurrence)] == before


def test_who_fired_an_event_may_read_it_and_its_runs(client: APIClient, anna: User, trigger: Trigger) -> None:
    body = {"type": "app.TaskCompletedEvent", "users": [anna.pk]}
    fired = client.post("/api/v1/fire/", body, format="json")

    assert client.get(fired.headers["Location"]).status_code == 200
    run = Run.objects.get()
    assert client.get(url(run)).json() == run_as_json(run, [])


def test_what_others_fired_takes_a_permission(
    client: APIClient, client_with: StartClient, anna: User, trigger: Trigger
) -> None:
    occurrence = fire("app.TaskCompletedEvent", users=anna, fired_by=anna)
    run = Run.objects.get()
    detail = "To read what others fired you need the permissions triggers.view_occurrence and triggers.view_run."
    forbidden = problem(403, "permission_denied", detail)

    for record in (occurrence, run):
        assert_problem(client.get(url(record)), forbidden)
        permission = f"view_{record._meta.model_name}"
        one_permission = client_with(permission, username=permission)
        for other in (occurrence, run):
            allowed = one_permission.get(url(other)).status_code == 200
            assert allowed == (other is record)


def test_what_nobody_fired_is_not_everybodys(client: APIClient, anna: User) -> None:
    occurrence = fire("app.TaskCompletedEvent", users=anna)

    assert client.get(url(occurrence)).status_code == 403


@pytest.mark.parametrize("kind", ["occurrences", "runs"])
def test_an_unknown_id_is_not_found(reader: APIClient, kind: str) -> None:
    response = reader.get(f"/api/v1/{kind}/0193b3f0-0000-7000-8000-000000000000/")

    assert_problem(response, problem(404, "not_found", "Not found."))


@pytest.mark.parametrize("kind", ["occurrences", "runs"])
def test_records_cannot_be_written(reader: APIClient, kind: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        response = reader.generic(method, f"/api/v1/{kind}/0193b3f0-0000-7000-8000-000000000000/")

        detail = f'Method "{method}" not allowed.'
        assert_problem(response, problem(405, "method_not_allowed", detail))
        assert response.headers["Allow"] == "GET, HEAD"


def test_an_occurrence_costs_the_same_however_many_its_runs(
    reader: APIClient, trigger: Trigger, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    people = User.objects.bulk_create(User(username=f"person{index}") for index in range(50))
    few = fire("app.TaskCompletedEvent", users=people[:5])
    many = fire("app.TaskCompletedEvent", users=people)

    for occurrence, runs in ((few, 5), (many, 50)):
        # Who asks and what they may (3), the occurrence, its runs, and whether more are to come.
        with django_assert_num_queries(6):
            body = reader.get(url(occurrence)).json()
        assert len(body["runs"]) == sum(body["run_counts"].values()) == runs


def test_a_run_costs_the_same_however_many_its_steps(
    reader: APIClient, trigger: Trigger, anna: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    run = fire("app.TaskCompletedEvent", users=anna).runs.get()
    step = {"action_id": 1, "type": "app.SendEmailAction", "status": "succeeded", "started_at": run.created_at}

    for position in (0, 1, 2):
        # Who asks and what they may (3), the run with its occurrence, its steps.
        with django_assert_num_queries(5):
            assert len(reader.get(url(run)).json()["steps"]) == position
        Step.objects.create(run=run, position=position, **step)
