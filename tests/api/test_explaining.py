"""``POST explain/``: what an event would do, without its happening."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger, people
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, database, invalid, problem
from tests.api.records import moment
from tests.app.models import Task
from tests.probe.models import (
    ContextCondition,
    ProbeEvent,
    RaisingCondition,
    RecordEffectAction,
    UsernameCondition,
)
from triggers.models import ActionCountCondition, ActionFrequencyCondition, Activity

pytestmark = pytest.mark.django_db

URL = "/api/v1/explain/"
TYPE = "probe.ProbeEvent"
NO_EVENT = "Give one of type, event."
NO_USERS = "Give one of user, users, audience."
FIELDS = "type, event, user, users, audience, context, occurred_at, delay, scheduled_at"
UNKNOWN_USERS = "None of the users exists."
TIMES = "The condition “action count no more than 2” does not hold. "
TIMES += "Required: at most 2 times for each person. Observed: 2 times so far."


@pytest.fixture
def asker(client_with: StartClient) -> APIClient:
    return client_with("explain_event", username="asker")


def explain(client: APIClient, **body: Any) -> Any:
    return client.post(URL, {"type": TYPE} | body, format="json")


def test_every_condition_is_told_for_every_user(asker: APIClient, anna: User) -> None:
    (bert,) = people(1, prefix="bert")
    trigger = a_trigger(
        RecordEffectAction(),
        conditions=[UsernameCondition(prefix="b"), ActionCountCondition(limit=2), ContextCondition(key="a")],
    )
    Activity.objects.create(trigger=trigger, user=anna, action_count=2)
    before = database()

    response = explain(asker, users=[str(anna.pk), bert.pk, "987654"], context={"a": 1})

    assert response.status_code == 200
    name, count, context = (condition.pk for condition in trigger.conditions.order_by("pk"))
    not_named = "The condition “username condition” does not hold."

    def conditions(named: bool, times: str, few: bool) -> list[dict[str, Any]]:
        return [
            {
                "condition": name,
                "type": "probe.UsernameCondition",
                "name": "username condition",
                "satisfied": named,
                "required": "username condition",
                "observed": "",
                "code": "" if named else "condition_failed",
                "detail": "" if named else not_named,
                "possible_at": None,
            },
            {
                "condition": count,
                "type": "triggers.ActionCountCondition",
                "name": "action count no more than 2",
                "satisfied": few,
                "required": "at most 2 times for each person",
                "observed": times,
                "code": "" if few else "limit_reached",
                "detail": "" if few else TIMES,
                "possible_at": None,
            },
            {
                "condition": context,
                "type": "probe.ContextCondition",
                "name": "context condition",
                "satisfied": True,
                "required": "context condition",
                "observed": "",
                "code": "",
                "detail": "",
                "possible_at": None,
            },
        ]

    of_trigger = {"event": trigger.events.get().pk, "trigger": trigger.pk, "trigger_name": "probe", "due_at": None}
    assert response.json() == {
        "unknown_users": ["987654"],
        "explanations": [
            of_trigger
            | {
                "user": str(anna.pk),
                "would_run": False,
                "code": "condition_failed",
                "detail": not_named,
                "conditions": conditions(False, "2 times so far", False),
            },
            of_trigger
            | {
                "user": str(bert.pk),
                "would_run": True,
                "code": "matched",
                "detail": "",
                "conditions": conditions(True, "0 times so far", True),
            },
        ],
    }
    assert database() == before


def test_it_is_told_when_the_run_would_start(asker: APIClient, anna: User) -> None:
    a_trigger(RecordEffectAction(), event=ProbeEvent(delay=timedelta(days=36500)))

    (explanation,) = explain(asker, users=[anna.pk]).json()["explanations"]

    assert explanation["would_run"]
    assert explanation["due_at"].endswith("Z")


def test_a_trigger_that_cannot_start_says_why(asker: APIClient, anna: User) -> None:
    trigger = a_trigger(RecordEffectAction(), is_enabled=False)

    assert explain(asker, users=[anna.pk]).json()["explanations"] == [
        {
            "event": trigger.events.get().pk,
            "trigger": trigger.pk,
            "trigger_name": "probe",
            "user": str(anna.pk),
            "would_run": False,
            "code": "trigger_disabled",
            "detail": "The trigger “probe” is not enabled.",
            "due_at": None,
            "conditions": [],
        }
    ]


def test_a_limit_says_when_it_will_let_somebody_through_again(asker: APIClient, anna: User) -> None:
    trigger = a_trigger(RecordEffectAction(), conditions=[ActionFrequencyCondition(limit=timedelta(days=2))])
    last = timezone.now() - timedelta(hours=1)
    Activity.objects.create(trigger=trigger, user=anna, action_count=1, last_action_datetime=last)

    (explanation,) = explain(asker, user=anna.pk).json()["explanations"]

    assert (explanation["would_run"], explanation["code"]) == (False, "limit_reached")
    assert [report["possible_at"] for report in explanation["conditions"]] == [moment(last + timedelta(days=2))]


def test_an_audience_is_explained_user_by_user(asker: APIClient) -> None:
    owner, other = people(2)
    Task.objects.create(user=owner, name="Write to Bob")
    a_trigger(RecordEffectAction())
    before = database()

    body = explain(asker, audience="task-owners").json()

    assert body["unknown_users"] == []
    assert [explanation["user"] for explanation in body["explanations"]] == [str(owner.pk)]
    assert {explanation["user"] for explanation in explain(asker, audience="all").json()["explanations"]} >= {
        str(owner.pk),
        str(other.pk),
    }
    assert database() == before


def test_a_large_audience_is_not_explained(asker: APIClient) -> None:
    people(101)

    response = explain(asker, audience="all")

    detail = "The audience “all” has more. At most 100 users can be explained at once."
    assert_problem(response, refused("audience_too_large", detail, "/audience"))


def test_the_times_that_fire_takes_are_taken(asker: APIClient, anna: User) -> None:
    a_trigger(RecordEffectAction(), event=ProbeEvent(delay=timedelta(hours=1)))

    for times, due_at in [
        ({"scheduled_at": "2126-01-31T09:00:00Z"}, "2126-01-31T10:00:00Z"),
        ({"occurred_at": "2126-01-31T09:00:00+02:00", "delay": "P1D"}, "2126-02-01T08:00:00Z"),
        ({"occurred_at": "2026-01-31T09:00:00Z"}, None),
    ]:
        (explanation,) = explain(asker, user=anna.pk, **times).json()["explanations"]
        assert explanation["due_at"] == due_at


def test_one_configured_event_is_explained(asker: APIClient, anna: User) -> None:
    a_trigger(RecordEffectAction(), name="other")
    trigger = a_trigger(RecordEffectAction(), is_enabled=False)

    response = asker.post(URL, {"event": trigger.events.get().pk, "user": anna.pk}, format="json")

    assert response.status_code == 200  # where firing it would be refused
    (explanation,) = response.json()["explanations"]
    assert (explanation["trigger"], explanation["code"]) == (trigger.pk, "trigger_disabled")


def test_a_condition_that_raises_is_told_and_concerns_its_user_only(asker: APIClient, anna: User) -> None:
    (bert,) = people(1, prefix="bert")
    a_trigger(RecordEffectAction(), conditions=[RaisingCondition(usernames="anna")])

    of_anna, of_bert = explain(asker, users=[anna.pk, bert.pk]).json()["explanations"]

    assert (of_anna["would_run"], of_anna["code"], of_bert["would_run"]) == (False, "condition_error", True)
    assert of_anna["conditions"][0]["detail"] == (
        "The condition “raising condition” could not be evaluated: RuntimeError."
    )


def test_a_type_that_nothing_uses_would_do_nothing(asker: APIClient, anna: User) -> None:
    assert explain(asker, users=[anna.pk]).json() == {"unknown_users": [], "explanations": []}


@pytest.mark.django_db(transaction=True)  # without a savepoint around every condition
def test_a_hundred_users_are_the_most(asker: APIClient, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    a_trigger(RecordEffectAction(), conditions=[ActionCountCondition()])
    users = [user.pk for user in people(101)]
    explain(asker, users=users[:1])  # content types are read once per process

    with django_assert_max_num_queries(20):
        assert len(explain(asker, users=users[:100]).json()["explanations"]) == 100
    detail = "Ensure this field has no more than 100 elements."
    assert_problem(explain(asker, users=users), invalid(("/users", "max_length", detail)))


def refused(code: str, detail: str, pointer: str) -> dict[str, Any]:
    return problem(400, code, detail, [(pointer, code, detail)])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, invalid(("/type", "required", NO_EVENT), ("/user", "required", NO_USERS))),
        (
            {"type": TYPE, "users": [1], "idempotency_key": "a"},
            invalid(("/idempotency_key", "unknown_field", f"There is no such field; there are {FIELDS}.")),
        ),
        ({"type": TYPE, "users": []}, invalid(("/users", "empty", "This list may not be empty."))),
        (
            {"type": TYPE, "users": ["anna"]},
            invalid(("/users/0", "user_invalid", "'anna' cannot be the primary key of a user.")),
        ),
        ({"type": TYPE, "users": ["987654"]}, refused("users_unknown", UNKNOWN_USERS, "/users")),
        (
            {"type": "app.NoSuchEvent", "users": [1]},
            refused("event_type_unknown", "No installed event type is called “app.NoSuchEvent”.", "/type"),
        ),
        *(
            (
                {"type": TYPE, "users": [1], "context": context},
                refused("context_invalid", f"The context must be an object, not {type(context).__name__}.", "/context"),
            )
            for context in ([], "", 0, False, [1])
        ),
        (
            {"type": TYPE, "users": [1], "context": {"user": 1}},
            refused(
                "context_key_reserved",
                "“user” is set by dj-triggers; use another name for it in the context.",
                "/context/user",
            ),
        ),
    ],
)
def test_a_bad_body_is_refused(asker: APIClient, body: dict[str, Any], expected: dict[str, Any]) -> None:
    assert_problem(asker.post(URL, body, format="json"), expected)


def test_explaining_needs_a_permission(client_with: StartClient, anna: User) -> None:
    response = explain(client_with("fire_event", "view_run", "view_context"), users=[anna.pk])

    detail = "To ask what an event would do you need the permission triggers.explain_event."
    assert_problem(response, problem(403, "permission_denied", detail))


def test_explaining_takes_a_post(asker: APIClient) -> None:
    response = asker.get(URL)

    assert_problem(response, problem(405, "method_not_allowed", 'Method "GET" not allowed.'))
    assert response.headers["Allow"] == "POST"
