"""``TRIGGERS_API_USER_FIELD``: users by another name than their primary key, wherever the API names them."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, database, invalid, problem
from tests.probe.models import RecordEffectAction
from triggers import fire
from triggers.models import Activity, Run, Trigger
from triggers_api.checks import check_settings

pytestmark = pytest.mark.django_db

TYPE = "app.TaskCompletedEvent"
ANNA = "anna@example.com"


@pytest.fixture(autouse=True)
def users_are_named_by_email(settings: Settings) -> None:
    settings.TRIGGERS_API_USER_FIELD = "email"


@pytest.fixture
def caller(client_with: StartClient) -> APIClient:
    return client_with(
        "fire_event", "explain_event", "view_run", "view_occurrence", "view_activity", username="somebody"
    )


def post(client: APIClient, path: str, body: Any, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(f"/api/v1/{path}", body, format="json", headers=headers)


def people(number: int) -> list[User]:
    return User.objects.bulk_create(
        User(username=f"person{index}", email=f"person{index}@example.com") for index in range(number)
    )


def test_users_are_named_alike_in_requests_and_answers(caller: APIClient, anna: User, trigger: Trigger) -> None:
    Activity.objects.create(trigger=trigger, user=anna)

    fired = post(caller, "fire/", {"type": TYPE, "users": [ANNA, "nobody@example.com", ANNA]})

    assert fired.status_code == 202
    run = Run.objects.get()
    assert run.user == anna
    assert fired.json()["unknown_users"] == ["nobody@example.com"]
    assert [run["user"] for run in fired.json()["runs"]] == [ANNA]
    assert caller.get(fired.headers["Location"]).json() == fired.json()
    assert caller.get(f"/api/v1/runs/{run.pk}/").json()["user"] == ANNA
    for path in ("runs/", "activities/"):
        for query in ({}, {"user": ANNA}):
            assert [row["user"] for row in caller.get(f"/api/v1/{path}", query).json()["results"]] == [ANNA]
        assert caller.get(f"/api/v1/{path}", {"user": "nobody@example.com"}).json()["results"] == []
    explained = post(caller, "explain/", {"type": TYPE, "users": ["nobody@example.com", ANNA]}).json()
    assert explained["unknown_users"] == ["nobody@example.com"]
    assert [explanation["user"] for explanation in explained["explanations"]] == [ANNA]


def test_a_batch_and_a_cloud_event_name_users_so_too(caller: APIClient, anna: User, trigger: Trigger) -> None:
    batch = post(caller, "fire/batch/", {"items": [{"type": TYPE, "user": ANNA}]})
    event = {"specversion": "1.0", "id": "7", "source": "/shop", "type": TYPE, "subject": ANNA}
    single = caller.generic(
        "POST", "/api/v1/cloudevents/", "", "", headers={f"ce-{name}": value for name, value in event.items()}
    )

    for answer in (batch.json()["occurrences"][0], single.json()):
        assert [run["user"] for run in answer["runs"]] == [ANNA]


def test_a_name_that_fits_no_user_is_refused(caller: APIClient, anna: User) -> None:
    before = database()

    def cannot_be(name: Any) -> str:
        return f"{name!r} cannot be the email of a user."

    response = post(caller, "fire/", {"type": TYPE, "users": [ANNA, "anna", anna.pk, "", "a" * 300 + "@example.com"]})
    assert_problem(
        response,
        invalid(
            ("/users/1", "user_invalid", cannot_be("anna")),
            ("/users/2", "user_invalid", cannot_be(anna.pk)),
            ("/users/3", "user_invalid", cannot_be("")),
            ("/users/4", "user_invalid", cannot_be("a" * 300 + "@example.com")),
        ),
    )
    response = post(caller, "fire/", {"type": TYPE, "user": "nobody@example.com"})
    detail = "The user does not exist."
    assert_problem(response, problem(400, "users_unknown", detail, [("/user", "users_unknown", detail)]))
    response = caller.get("/api/v1/runs/?user=anna")
    detail = "The query is not valid: errors says where."
    assert_problem(response, problem(400, "query_invalid", detail, [("/user", "user_invalid", cannot_be("anna"))]))
    assert database() == before


def test_a_name_is_taken_as_it_is_written(caller: APIClient, anna: User) -> None:
    response = post(caller, "fire/", {"type": TYPE, "user": ANNA.title()})

    assert (response.status_code, response.json()["code"]) == (400, "users_unknown")


def test_a_repeat_is_known_though_a_name_has_got_or_lost_its_user(caller: APIClient, anna: User) -> None:
    body = {"type": TYPE, "users": [ANNA, "bert@example.com"]}
    first = post(caller, "fire/", body, key="k")
    User.objects.create_user("bert", email="bert@example.com")
    anna.delete()

    second = post(caller, "fire/", body | {"users": ["bert@example.com", ANNA]}, key="k")

    assert (second.status_code, second.headers["Idempotent-Replayed"]) == (202, "true")
    assert second.json() == first.json()
    assert second.json()["unknown_users"] == ["bert@example.com"]
    third = post(caller, "fire/", body | {"users": ["bert@example.com"]}, key="k")
    assert (third.status_code, third.json()["code"]) == (422, "key_conflict")


def test_who_has_lost_their_name_has_none(caller: APIClient, anna: User, trigger: Trigger) -> None:
    run = fire(TYPE, users=anna).runs.get()
    User.objects.update(email="")

    assert caller.get(f"/api/v1/runs/{run.pk}/").json()["user"] == ""


@pytest.mark.parametrize("field", ["pk", "id", "username"])
def test_any_field_that_is_unique_will_do(
    caller: APIClient, anna: User, trigger: Trigger, settings: Settings, field: str
) -> None:
    settings.TRIGGERS_API_USER_FIELD = field
    name = str(getattr(anna, field))

    response = post(caller, "fire/", {"type": TYPE, "user": name})

    assert [run["user"] for run in response.json()["runs"]] == [name]


@pytest.mark.parametrize(("field", "queries"), [("pk", 4), ("email", 5)])
@pytest.mark.parametrize("kind", ["runs", "activities"])
def test_a_list_costs_one_query_for_all_its_names(
    caller: APIClient,
    trigger: Trigger,
    settings: Settings,
    django_assert_num_queries: DjangoAssertNumQueries,
    field: str,
    queries: int,
    kind: str,
) -> None:
    settings.TRIGGERS_API_USER_FIELD = field
    users = people(50)
    fire(TYPE, users=users)
    Activity.objects.bulk_create(Activity(trigger=trigger, user=user) for user in users)

    for limit in (5, 50):
        # Who asks and what they may (3), the rows, the names.
        with django_assert_num_queries(queries):
            rows = caller.get(f"/api/v1/{kind}/", {"limit": limit}).json()["results"]
        assert len({row["user"] for row in rows}) == limit


def test_a_thousand_names_are_looked_up_at_once(caller: APIClient, settings: Settings) -> None:
    a_trigger(RecordEffectAction())
    users = people(1000)
    # Content types are read only once, and from here on everybody has a run under way.
    post(caller, "fire/", {"type": "probe.ProbeEvent", "users": [user.email for user in users]})
    costs = []

    for field in ("email", "pk"):
        settings.TRIGGERS_API_USER_FIELD = field
        body = {"type": "probe.ProbeEvent", "users": [getattr(user, field) for user in users]}
        with CaptureQueriesContext(connection) as captured:
            assert post(caller, "fire/", body).json()["run_counts"]["pending"] == 1000
        costs.append(len(captured))

    # Keys are looked up too; what comes to it is one query for the names in the answer.
    assert costs[0] == costs[1] + 1


def test_a_name_that_several_have_names_nobody(caller: APIClient, anna: User, trigger: Trigger) -> None:
    User.objects.create_user("other", email=ANNA)

    response = post(caller, "fire/", {"type": TYPE, "user": ANNA})

    assert (response.status_code, response.json()["code"]) == (400, "users_unknown")
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("field", "id"),
    [
        ("pk", None),
        ("id", None),
        ("username", None),
        ("email", "triggers_api.W002"),
        ("groups", "triggers_api.E001"),
        ("trigger_runs", "triggers_api.E001"),
        ("nickname", "triggers_api.E001"),
    ],
)
def test_a_field_by_which_users_cannot_be_told_apart_is_told(settings: Settings, field: str, id: str | None) -> None:
    settings.TRIGGERS_API_USER_FIELD = field

    messages = check_settings(None)

    assert [message.id for message in messages] == ([id] if id else [])
    assert all(message.hint for message in messages)


def test_a_setting_that_there_is_not_is_told(settings: Settings) -> None:
    settings.TRIGGERS_API_USER_FIELD = "username"
    settings.TRIGGERS_API_USERFIELD = "email"

    (message,) = check_settings(None)

    assert (message.id, message.hint) == ("triggers_api.W001", "Did you mean TRIGGERS_API_USER_FIELD?")
