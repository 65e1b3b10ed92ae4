"""Requests of somebody who means harm cost little, and are refused at the place where they are wrong."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.exceptions import ValidationError
from rest_framework.test import APIClient

from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, database, invalid, problem
from tests.app.models import SendEmailAction
from triggers.models import Trigger
from triggers_api import people
from triggers_api.errors import MAX_DETAIL
from triggers_api.references import MAX_REFERENCES, ReferenceField

pytestmark = pytest.mark.django_db

URL = "/api/v1/"
MANY = 250_000


@pytest.fixture
def admin(client_with: StartClient) -> APIClient:
    return client_with("view_trigger", "add_trigger", "fire_event", "explain_event")


def post(client: APIClient, path: str, body: str, content_type: str = "application/json") -> Any:
    return client.post(URL + path, body, content_type=content_type)


def too_many(pointer: str, most: int) -> dict[str, Any]:
    return invalid((pointer, "max_length", f"Ensure this field has no more than {most} elements."))


@pytest.mark.parametrize(
    ("path", "body", "content_type", "pointer", "most"),
    [
        ("fire/", '{{"type": "app.ClockEvent", "users": {list}}}', "application/json", "/users", 1000),
        ("explain/", '{{"type": "app.ClockEvent", "users": {list}}}', "application/json", "/users", 100),
        ("fire/batch/", '{{"items": {list}}}', "application/json", "/items", 100),
        ("cloudevents/", "{list}", "application/cloudevents-batch+json", "", 100),
        (
            "triggers/",
            '{{"type": "triggers.Trigger", "name": "New", "conditions": '
            '[{{"type": "variety.VariedCondition", "groups": {list}}}]}}',
            "application/json",
            "/conditions/0/groups",
            MAX_REFERENCES,
        ),
    ],
)
def test_of_a_list_that_is_too_long_no_item_is_looked_at(
    admin: APIClient, path: str, body: str, content_type: str, pointer: str, most: int
) -> None:
    before = database()

    response = post(admin, path, body.format(list="[" + "{}," * MANY + "{}]"), content_type)

    assert_problem(response, too_many(pointer, most))  # and not what is wrong with each of them
    assert database() == before


@pytest.mark.parametrize("path", ["fire/", "triggers/"])
def test_of_many_unknown_fields_the_first_are_told(admin: APIClient, path: str) -> None:
    body = {"type": "triggers.Trigger"} | {f"x{number}": 1 for number in range(50_000)}

    response = post(admin, path, json.dumps(body))

    errors = response.json()["errors"]
    assert len(errors) == 100
    assert {error["code"] for error in errors} <= {"unknown_field", "required"}


def test_of_a_long_text_that_is_refused_the_beginning_is_told(admin: APIClient) -> None:
    response = post(admin, "fire/", json.dumps({"type": "x" * 500_000, "user": "1"}))

    detail = "No installed event type is called “".ljust(MAX_DETAIL - 1, "x") + "…"
    assert_problem(response, problem(400, "event_type_unknown", detail, [("/type", "event_type_unknown", detail)]))


@pytest.mark.parametrize("order", ["id", "-id"])
@pytest.mark.parametrize("digits", [5, 19, 20, 5000])
def test_a_cursor_of_any_length_is_answered(admin: APIClient, order: str, digits: int) -> None:
    Trigger.objects.create(name="Old")

    response = admin.get(f"{URL}triggers/?order={order}&cursor={order}:{'9' * digits}")

    if digits < 20:
        found = ["Old"] if order == "-id" else []
        assert response.status_code == 200
        assert [row["name"] for row in response.json()["results"]] == found
    else:
        detail = f"This is no cursor of a page before, in the order “{order}”."
        expected = problem(
            400, "query_invalid", "The query is not valid: errors says where.", [("/cursor", "invalid", detail)]
        )
        assert_problem(response, expected)


def condition(**fields: Any) -> str:
    varied = {"type": "variety.VariedCondition"} | fields
    return json.dumps({"type": "triggers.Trigger", "name": "New", "conditions": [varied]})


@pytest.mark.parametrize("groups", [{}, {"1": 2}, "1", None])
def test_what_is_no_list_is_no_list_of_references(admin: APIClient, groups: Any) -> None:
    before = database()

    response = post(admin, "triggers/", condition(groups=groups))

    detail = f'Expected a list of items but got type "{type(groups).__name__}".'
    error = ("null", "This field may not be null.") if groups is None else ("not_a_list", detail)
    assert_problem(response, invalid(("/conditions/0/groups", *error)))
    assert database() == before


def test_bad_references_of_a_list_are_refused_each_at_its_place(admin: APIClient) -> None:
    group = Group.objects.create(name="staff")
    before = database()

    response = post(admin, "triggers/", condition(groups=[group.pk, "1", 987654, None, 10**30, 1.5]))

    wrong = ("incorrect_type", "Write the key of a group.")
    expected = invalid(
        ("/conditions/0/groups/1", *wrong),
        ("/conditions/0/groups/3", *wrong),
        ("/conditions/0/groups/5", *wrong),
        ("/conditions/0/groups/2", "does_not_exist", "There is no group with the key 987654."),
        ("/conditions/0/groups/4", "does_not_exist", f"There is no group with the key {10**30}."),
    )
    assert_problem(response, expected)
    assert database() == before


def test_references_of_a_list_are_looked_up_at_once(admin: APIClient) -> None:
    groups = [group.pk for group in Group.objects.bulk_create(Group(name=f"group {number}") for number in range(50))]
    statements = []
    for number in (1, 50):
        with CaptureQueriesContext(connection) as captured:
            response = post(admin, "triggers/", condition(groups=groups[:number]).replace("New", f"New {number}"))
        assert response.json()["conditions"][0]["groups"] == groups[:number]
        statements.append(len(captured))

    assert statements[1] <= statements[0]


def test_a_row_that_extends_another_is_named_by_the_number_that_is_told_of_it() -> None:
    action = SendEmailAction.objects.create(subject="Hello", message="Hello")
    field = ReferenceField(queryset=SendEmailAction.objects.all())

    assert field.run_validation(action.pk) == action
    with pytest.raises(ValidationError) as caught:
        field.run_validation(str(action.pk))
    assert caught.value.get_codes() == ["incorrect_type"]


def test_several_users_are_found_at_once() -> None:
    users = User.objects.bulk_create(User(username=name) for name in ("anna", "ada"))
    assert people.found([user.pk for user in users] + [987654]) == {user.pk: user for user in users}
