"""Events are fired for people by their keys; with ``create_users``, also for people who are not known yet."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from tests.api.problems import assert_problem, invalid, problem
from tests.people.conftest import StartClient
from triggers.models import Occurrence, Run, Trigger
from triggers_api.checks import check_settings
from triggers_api.service.people.models import Person
from triggers_api.service.people.registering import put, register

pytestmark = pytest.mark.django_db

FIRE = {"type": "probe.ProbeEvent"}
EVENT = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "probe.ProbeEvent"}


def fire(client: APIClient, headers: Any = None, **fields: Any) -> Any:
    return client.post("/api/v1/fire/", FIRE | fields, format="json", headers=headers)


def cloud_event(client: APIClient, query: str, **attributes: Any) -> Any:
    body = json.dumps(EVENT | attributes)
    return client.post(f"/api/v1/cloudevents/{query}", body, content_type="application/cloudevents+json")


def test_people_are_named_by_their_keys_in_requests_and_answers(crm: APIClient, trigger: Trigger) -> None:
    put("ada", email="ada@example.com")
    fired = fire(crm, users=["ada", "bob"])
    assert fired.json()["unknown_users"] == ["bob"]
    assert [run["user"] for run in fired.json()["runs"]] == ["ada"]
    assert [run["user"] for run in crm.get("/api/v1/runs/?user=ada").json()["results"]] == ["ada"]
    explained = crm.post("/api/v1/explain/", FIRE | {"user": "ada"}, format="json").json()
    assert [each["user"] for each in explained["explanations"]] == ["ada"]


def test_who_is_no_person_cannot_be_named_and_has_no_name(crm: APIClient, trigger: Trigger) -> None:
    caller = User.objects.get(username="caller")
    for name in ("caller", str(caller.pk)):
        assert fire(crm, user=name).json()["code"] == "users_unknown"
    import triggers

    triggers.fire("probe.ProbeEvent", users=caller)
    assert [run["user"] for run in crm.get("/api/v1/runs/").json()["results"]] == [""]


def test_an_event_may_be_fired_for_who_is_not_known_yet(crm: APIClient, trigger: Trigger) -> None:
    put("ada", email="ada@example.com")

    response = fire(crm, users=["ada", "bob"], create_users=True)

    assert response.status_code == 202
    assert response.json()["unknown_users"] == []
    assert sorted(run["user"] for run in response.json()["runs"]) == ["ada", "bob"]
    assert crm.get("/api/v1/users/bob/").json()["email"] == ""
    assert Person.objects.get(key="ada").user.email == "ada@example.com"
    assert not Person.objects.get(key="bob").user.has_usable_password()


def test_items_of_a_batch_and_cloudevents_may_too(crm: APIClient, trigger: Trigger) -> None:
    items = [FIRE | {"user": "ada", "create_users": True}, FIRE | {"user": "ada"}]
    assert crm.post("/api/v1/fire/batch/", {"items": items}, format="json").status_code == 202
    assert cloud_event(crm, "", subject="bob").json()["code"] == "users_unknown"
    assert cloud_event(crm, "?create_users=true", subject="bob").status_code == 202
    assert sorted(Person.objects.values_list("key", flat=True)) == ["ada", "bob"]


def test_an_event_that_is_refused_makes_nobody(crm: APIClient, trigger: Trigger) -> None:
    assert fire(crm, user="ada", create_users=True, type="app.NoEvent").status_code == 400
    items = [FIRE | {"user": "ada", "create_users": True}, FIRE | {"user": "nobody"}]
    assert crm.post("/api/v1/fire/batch/", {"items": items}, format="json").status_code == 400
    assert not Person.objects.exists()
    assert User.objects.count() == 1


def test_a_repeat_does_not_make_again_who_has_been_deleted(crm: APIClient, trigger: Trigger) -> None:
    key = {"Idempotency-Key": "order-7"}
    first = fire(crm, key, user="ada", create_users=True)
    Person.objects.get().user.delete()

    second = fire(crm, key, user="ada", create_users=True)

    assert (second.status_code, second.headers["Idempotent-Replayed"]) == (202, "true")
    assert second.json()["id"] == first.json()["id"]
    assert not Person.objects.exists()
    assert User.objects.count() == 1


def test_to_make_people_takes_the_permission(client_with: StartClient, trigger: Trigger) -> None:
    client = client_with("fire_event")
    detail = "To create users you need the permission auth.add_user."
    assert_problem(
        fire(client, user="ada", create_users=True),
        problem(403, "permission_denied", detail, [("/create_users", "permission_denied", detail)]),
    )
    assert not Person.objects.exists()


def test_what_cannot_be_a_key_is_refused(crm: APIClient) -> None:
    assert_problem(
        fire(crm, users=["a b", "", "ada"], create_users=True),
        invalid(
            ("/users/0", "user_invalid", "'a b' cannot be the key of a user."),
            ("/users/1", "user_invalid", "'' cannot be the key of a user."),
        ),
    )
    assert_problem(
        fire(crm, audience="all", create_users=True),
        invalid(
            ("/create_users", "exclusive", "Name those who are to be made in user or users, not by an audience."),
        ),
    )
    assert not Occurrence.objects.exists()


def test_where_nothing_makes_users_the_field_is_not_known(crm: APIClient, settings: Settings) -> None:
    settings.TRIGGERS_API_CREATE_USERS = None
    (error,) = fire(crm, user="ada", create_users=True).json()["errors"]
    assert (error["pointer"], error["code"]) == ("/create_users", "unknown_field")
    assert cloud_event(crm, "?create_users=true", subject="ada").json()["code"] == "query_invalid"


def test_a_thousand_people_are_made_at_once(
    crm: APIClient, trigger: Trigger, django_assert_max_num_queries: Any
) -> None:
    keys = [f"person:{number}" for number in range(1000)]
    with django_assert_max_num_queries(90):
        response = fire(crm, users=keys, create_users=True)
    assert response.status_code == 202
    assert Run.objects.count() == Person.objects.count() == 1000


def test_a_thousand_names_cost_no_more_than_one(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        register([])
    register(["ada", "ada"])
    with django_assert_num_queries(1):
        register(["ada"])


def test_settings_that_lead_nowhere_are_told(settings: Settings) -> None:
    assert check_settings(None) == []
    for name, value, id in (
        ("TRIGGERS_API_USER_FIELD", "person__nickname", "triggers_api.E001"),
        ("TRIGGERS_API_USER_FIELD", "groups__name", "triggers_api.E001"),
        ("TRIGGERS_API_USER_FIELD", "person__name", "triggers_api.W002"),
        ("TRIGGERS_API_CREATE_USERS", "triggers_api.nowhere.register", "triggers_api.E003"),
        ("TRIGGERS_API_CREATE_USERS", 7, "triggers_api.E002"),
    ):
        before = getattr(settings, name)
        setattr(settings, name, value)
        assert [message.id for message in check_settings(None)] == [id], value
        setattr(settings, name, before)
