"""``POST fire/``: what it answers, what it records, and what a repeat answers."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.handlers.base import BaseHandler
from django.db import connection, connections
from django.urls import include, path, resolve
from django.utils.dateparse import parse_datetime
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, database, problem
from tests.api.records import match, run_counts
from tests.app.models import HasUncompletedTaskCondition
from triggers.models import Occurrence, Run, Trigger
from triggers_api.telling import MAX_RUNS

pytestmark = pytest.mark.django_db

URL = "/api/v1/fire/"
TYPE = "app.TaskCompletedEvent"


def fire(client: APIClient, *, key: str | None = None, **body: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(URL, {"type": TYPE} | body, format="json", headers=headers)


def test_an_accepted_event_is_answered_with_its_occurrence_and_runs(
    client: APIClient, anna: User, trigger: Trigger
) -> None:
    response = fire(client, users=[str(anna.pk)], context={"task_id": 7, "tags": ["a", None, 1.5]})

    assert response.status_code == 202
    assert response.headers["Content-Type"] == "application/json"
    occurrence, run = Occurrence.objects.get(), Run.objects.get()
    assert response.json() == {
        "id": str(occurrence.pk),
        "type": TYPE,
        "event": None,
        "source": f"user:{occurrence.fired_by_id}",
        "occurred_at": occurrence.occurred_at.isoformat().replace("+00:00", "Z"),
        "recorded_at": occurrence.recorded_at.isoformat().replace("+00:00", "Z"),
        "delay": "P0DT00H00M00S",
        "cause": None,
        "depth": 0,
        "context": {"task_id": 7, "tags": ["a", None, 1.5]},
        "matched": [match(trigger)],
        "skipped": [],
        "unknown_users": [],
        "code": "",
        "detail": "",
        "is_expanded": True,
        "run_counts": run_counts(pending=1),
        "runs": [
            {
                "id": str(run.pk),
                "user": str(anna.pk),
                "trigger": trigger.pk,
                "status": "pending",
                "code": "",
                "detail": "",
            }
        ],
    }
    assert run.user == anna
    assert "Idempotent-Replayed" not in response.headers
    assert response.headers["Location"] == f"/api/v1/occurrences/{occurrence.pk}/"
    assert client.get(response.headers["Location"]).json() == response.json()


urlpatterns = [path("shop/", include(([path("events/", include("triggers_api.urls"))], "shop")))]


@pytest.mark.urls(__name__)
def test_it_works_wherever_it_is_mounted(client: APIClient, anna: User) -> None:
    body = {"type": TYPE, "users": [anna.pk]}

    response = client.post("/shop/events/fire/", body, format="json")

    assert response.headers["Location"] == f"/shop/events/occurrences/{Occurrence.objects.get().pk}/"
    assert client.get(response.headers["Location"]).json() == response.json()


def test_it_is_recorded_who_fired(client: APIClient, anna: User) -> None:
    fire(client, users=[anna.pk])

    occurrence = Occurrence.objects.get()
    caller = User.objects.get(username="caller")
    assert occurrence.fired_by == caller
    assert occurrence.source == f"user:{caller.pk}"


def test_a_type_that_nothing_uses_is_accepted_and_matches_nothing(client: APIClient, anna: User) -> None:
    response = fire(client, users=[str(anna.pk)])

    assert response.status_code == 202
    body = response.json()
    assert (body["matched"], body["skipped"], body["runs"]) == ([], [], [])
    assert Occurrence.objects.exists()


def test_a_trigger_that_is_not_enabled_is_told_with_the_reason(client: APIClient, anna: User, trigger: Trigger) -> None:
    Trigger.objects.update(is_enabled=False)

    response = fire(client, users=[str(anna.pk)])

    reason = {"code": "trigger_disabled", "detail": "The trigger “Congratulate” is not enabled."}
    assert response.status_code == 202
    assert response.json()["matched"] == []
    assert response.json()["skipped"] == [match(trigger) | reason]
    assert response.json()["runs"] == []


def test_a_user_kept_out_by_a_condition_is_told_with_the_reason(
    client: APIClient, anna: User, trigger: Trigger
) -> None:
    HasUncompletedTaskCondition.objects.create(trigger=trigger)

    (run,) = fire(client, users=[str(anna.pk)]).json()["runs"]

    assert (run["status"], run["code"]) == ("skipped", "condition_failed")
    assert run["detail"] == "The condition “has an uncompleted task” does not hold."


def test_users_may_be_named_by_integers_and_each_counts_once(client: APIClient, anna: User, trigger: Trigger) -> None:
    response = fire(client, users=[anna.pk, str(anna.pk)])

    assert [run["user"] for run in response.json()["runs"]] == [str(anna.pk)]


def test_users_who_do_not_exist_are_told_and_the_others_served(client: APIClient, anna: User, trigger: Trigger) -> None:
    response = fire(client, users=["987654", str(anna.pk)])

    assert response.status_code == 202
    assert response.json()["unknown_users"] == ["987654"]
    assert [run["user"] for run in response.json()["runs"]] == [str(anna.pk)]


def test_users_of_whom_none_exists_are_refused(client: APIClient, trigger: Trigger) -> None:
    before = database()

    response = fire(client, users=["987654", "987655", "987654"], key="k")

    detail = "None of the users exists."
    assert_problem(response, problem(400, "users_unknown", detail, [("/users", "users_unknown", detail)]))
    assert database() == before


def test_the_time_and_the_delay_are_those_that_were_sent(client: APIClient, anna: User, trigger: Trigger) -> None:
    response = fire(client, users=[str(anna.pk)], occurred_at="2126-01-31T09:00:00.25+05:30", delay="P1DT2H30M")

    assert response.status_code == 202
    assert response.json()["occurred_at"] == "2126-01-31T03:30:00.250000Z"
    assert response.json()["delay"] == "P1DT02H30M00S"
    assert Run.objects.get().due_at == parse_datetime("2126-02-01T06:00:00.25Z")
    assert client.get(response.headers["Location"]).json() == response.json()


def test_a_context_comes_back_as_it_was_sent(client: APIClient, anna: User) -> None:
    context = {"$datetime": "not one", "a": {"$uuid": "no", "~/": "😀"}, "big": 2**70, "small": 1e-7}

    response = fire(client, users=[str(anna.pk)], context=context)

    assert response.json()["context"] == context
    assert client.get(response.headers["Location"]).json()["context"] == context


def test_of_many_runs_the_first_are_told_and_how_many_there_are(client: APIClient, trigger: Trigger) -> None:
    people = User.objects.bulk_create(User(username=f"person{index}") for index in range(MAX_RUNS + 1))

    body = fire(client, users=[str(person.pk) for person in people]).json()

    assert Run.objects.count() == MAX_RUNS + 1
    assert body["run_counts"] == run_counts(pending=MAX_RUNS + 1)
    assert [run["id"] for run in body["runs"]] == sorted(run["id"] for run in body["runs"])
    assert len({run["id"] for run in body["runs"]}) == MAX_RUNS


def test_a_thousand_users_have_their_runs_when_the_answer_comes(client: APIClient, trigger: Trigger) -> None:
    people = User.objects.bulk_create(User(username=f"person{index}") for index in range(1000))

    response = fire(client, users=[str(person.pk) for person in people])

    assert response.json()["run_counts"]["pending"] == Run.objects.count() == 1000


def test_a_repeat_under_the_same_key_is_answered_as_the_first_time(
    client: APIClient, anna: User, trigger: Trigger
) -> None:
    first = fire(client, users=[str(anna.pk)], context={"a": 1, "b": 2}, key="order 7")
    before = database()

    second = fire(client, users=[anna.pk], context={"b": 2, "a": 1}, key="order 7")

    assert second.status_code == 202
    assert second.json() == first.json()
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert database() == before


def test_a_repeat_is_answered_though_its_users_are_gone(client: APIClient, anna: User, trigger: Trigger) -> None:
    key = str(anna.pk)
    first = fire(client, users=[key], key="order 7")
    anna.delete()

    second = fire(client, users=[key], key="order 7")

    assert second.status_code == 202
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json()["id"] == first.json()["id"]


@pytest.mark.parametrize(
    "other",
    [
        {"type": "app.ClockEvent"},
        {"context": {"a": 2}},
        {"occurred_at": "2026-01-31T09:00:00Z"},
        {"delay": "PT1S"},
        {"users": ["987654"]},
    ],
    ids=lambda other: next(iter(other)),
)
def test_a_key_that_was_used_for_other_content_is_refused(
    client: APIClient, anna: User, trigger: Trigger, other: dict[str, Any]
) -> None:
    body = {"users": [str(anna.pk)], "context": {"a": 1}}
    fire(client, **body, key="order 7")
    before = database()

    response = fire(client, **body | other, key="order 7")

    recorded_at = Occurrence.objects.get().recorded_at.isoformat()
    detail = f"Idempotency-Key: The key “order 7” was used on {recorded_at} for other content."
    assert_problem(response, problem(422, "key_conflict", detail))
    assert database() == before


def test_keys_of_two_callers_do_not_meet(client: APIClient, client_with: StartClient, anna: User) -> None:
    other = client_with("fire_event", username="other")

    first = fire(client, users=[str(anna.pk)], key="order 7")
    second = fire(other, users=[str(anna.pk)], context={"a": 1}, key="order 7")

    assert second.status_code == 202
    assert second.json()["id"] != first.json()["id"]


def test_without_a_key_the_same_event_happens_twice(client: APIClient, anna: User) -> None:
    ids = {fire(client, users=[str(anna.pk)]).json()["id"] for _ in range(2)}

    assert {UUID(id) for id in ids} == set(Occurrence.objects.values_list("pk", flat=True))
    assert len(ids) == 2


@pytest.mark.django_db(transaction=True)
def test_of_twins_at_the_same_time_one_is_recorded(client: APIClient, anna: User, trigger: Trigger) -> None:
    def fire_in_thread(_: int) -> Any:
        try:
            return fire(client, users=[str(anna.pk)], key="order 7")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        responses = list(threads.map(fire_in_thread, range(8)))

    assert [response.status_code for response in responses] == [202] * 8
    assert len({response.json()["id"] for response in responses}) == 1
    assert sum("Idempotent-Replayed" in response.headers for response in responses) == 7
    assert Run.objects.count() == 1


def test_the_answer_comes_after_the_commit_also_where_requests_are_transactions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for alias in connections:
        monkeypatch.setitem(connections.settings[alias], "ATOMIC_REQUESTS", True)
    view = resolve(URL).func

    assert BaseHandler().make_view_atomic(view) is view


def test_firing_for_one_user_has_its_price(
    client: APIClient,
    anna: User,
    trigger: Trigger,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    fire(client, users=[str(anna.pk)])  # content types are read once per process

    # Who calls and what they may (3), the API's own transaction and the runs it tells (4), the rest is fire(), for
    # a user with a run under way, which may come to wait for the event.
    with django_assert_max_num_queries(7 + 16):
        fire(client, users=[str(anna.pk)], key="order 7")
