"""``POST explain/``: what an event would do, without its happening."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger, people
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, database, invalid, problem
from tests.probe.models import (
    ContextCondition,
    ProbeEvent,
    RaisingCondition,
    RecordEffectAction,
    UsernameCondition,
)
from triggers.models import ActionCountCondition, Activity

pytestmark = pytest.mark.django_db

URL = "/api/v1/explain/"
TYPE = "probe.ProbeEvent"
NO_EVENT = "Give one of type, event."
NO_USERS = "Give one of user, users."
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
            {"type": TYPE, "users": [1], "delay": "PT1S"},
            invalid(
                ("/delay", "unknown_field", "There is no such field; there are type, event, user, users, context.")
            ),
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
