"""People over HTTP: registered by the keys that other systems have for them, changed, found and forgotten."""

from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.api.described import assert_described
from tests.api.problems import assert_problem, invalid, problem
from tests.people.conftest import StartClient
from triggers import fire
from triggers.contrib.journeys.clocks import zone_of
from triggers.models import Run, Trigger
from triggers_api.keys import secret
from triggers_api.keys.models import ApiKey
from triggers_api.service.people.models import Person

pytestmark = pytest.mark.django_db

URL = "/api/v1/users/"
ADA: dict[str, Any] = {
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "time_zone": "Europe/London",
    "attributes": {"plan": "gold", "orders": [1, 2]},
}


def put(client: APIClient, key: str, body: Any = ADA) -> Any:
    return client.put(f"{URL}{quote(key, safe='')}/", body, format="json")


def told(response: Any) -> dict[str, Any]:
    """The answer without the moments that differ from run to run."""
    assert_described(response)
    body: dict[str, Any] = response.json()
    assert body.pop("created_at") <= body.pop("updated_at")
    return body


def test_a_person_is_registered_under_the_callers_own_key(crm: APIClient) -> None:
    response = put(crm, "auth0|62f")

    assert response.status_code == 201
    assert told(response) == ADA | {"key": "auth0|62f"}
    person = Person.objects.get()
    assert (person.user.email, zone_of(person.user).key) == ("ada@example.com", "Europe/London")  # type: ignore[attr-defined]
    assert told(crm.get(f"{URL}auth0%7C62f/")) == ADA | {"key": "auth0|62f"}


def test_a_person_who_is_known_becomes_what_the_body_says(crm: APIClient) -> None:
    first = put(crm, "ada").json()

    response = put(crm, "ada", {"name": "Ada"})

    assert response.status_code == 200
    assert told(response) == {"key": "ada", "email": "", "name": "Ada", "time_zone": "", "attributes": {}}
    assert put(crm, "ada").json()["created_at"] == first["created_at"]
    assert Person.objects.count() == 1


def test_people_cannot_sign_in(crm: APIClient) -> None:
    put(crm, "ada")
    user = User.objects.get(username="ada")
    assert not user.has_usable_password()
    assert authenticate(username="ada", password="") is None
    assert (user.is_staff, user.is_superuser, user.get_all_permissions()) == (False, False, set())


@pytest.mark.parametrize("key", ["caller", "x" * 255])
def test_a_key_that_cannot_be_a_user_name_is_none_and_good_all_the_same(crm: APIClient, key: str) -> None:
    assert put(crm, key).status_code == 201
    assert Person.objects.get(key=key).user.username.startswith("person-")
    assert put(crm, key).status_code == 200


@pytest.mark.parametrize("key", ["a b", "ü", "x" * 256, "\n", "a\n", "\0", "..", "ada\u202e"])
def test_what_is_no_key_is_refused(crm: APIClient, key: str) -> None:
    path = f"{URL}{quote(key, safe='')}/" if key != ".." else f"{URL}%2e%2e/"
    detail = "Write 1 to 255 printable characters of ASCII, without blanks and slashes."
    assert_problem(crm.put(path, ADA, format="json"), problem(400, "user_key_invalid", detail))
    assert crm.get(path).status_code == 404
    assert crm.delete(path).status_code == 404
    assert not Person.objects.exists()


def test_what_is_wrong_with_a_body_is_told_and_changes_nothing(crm: APIClient) -> None:
    body = {
        "email": "ada@",
        "name": "x" * 256,
        "time_zone": "Mars/Olympus",
        "attributes": [],
        "colour": "red",
        "key": "bob",
    }
    assert_problem(
        put(crm, "ada", body),
        invalid(
            ("/email", "invalid", "Enter a valid email address."),
            ("/name", "max_length", "Ensure this field has no more than 255 characters."),
            ("/time_zone", "time_zone_unknown", "Write the name of a time zone, as Europe/Vienna."),
            ("/attributes", "not_a_dict", "Write an object."),
            ("/colour", "unknown_field", "There is no such field; there are email, name, time_zone, attributes."),
            ("/key", "read_only", "This field cannot be set: leave it out."),
        ),
    )
    long = {"attributes": {"text": "x" * 2**16}}
    assert_problem(
        put(crm, "ada", long),
        invalid(
            ("/attributes", "attributes_too_long", "The attributes are longer than 65536 characters of JSON."),
        ),
    )
    assert not Person.objects.exists()


def test_an_answer_may_be_sent_back(crm: APIClient) -> None:
    body = put(crm, "ada").json()
    response = put(crm, "ada", body)
    assert (response.status_code, response.json() | {"updated_at": ""}) == (200, body | {"updated_at": ""})


def test_who_can_sign_in_is_left_alone(crm: APIClient) -> None:
    users = [
        User.objects.create_user("with-password", password="secret"),
        User.objects.create_user("staff", is_staff=True),
        User.objects.create_user("with-key"),
    ]
    key = ApiKey(user=users[2], name="Shop", scopes=["fire"])
    key.set_secret(secret.new())
    key.save()
    detail = "This user may sign in or has API keys: change them in the admin."
    for user in users:
        Person.objects.create(user=user, key=user.username)
        assert_problem(put(crm, user.username), problem(409, "user_may_sign_in", detail))
        assert_problem(crm.delete(f"{URL}{user.username}/"), problem(409, "user_may_sign_in", detail))
        user.refresh_from_db()
        assert user.email == ""


def test_a_person_is_deleted_with_all_that_is_kept_of_them(crm: APIClient, trigger: Trigger) -> None:
    put(crm, "ada")
    put(crm, "bob")
    for key in ("ada", "bob"):
        fire("probe.ProbeEvent", users=Person.objects.get(key=key).user)

    response = crm.delete(f"{URL}ada/")

    assert (response.status_code, response.content) == (204, b"")
    assert crm.get(f"{URL}ada/").status_code == 404
    assert [run.user.username for run in Run.objects.all()] == ["bob"]


def test_people_are_listed_newest_first_page_by_page(crm: APIClient) -> None:
    for key in ("ada", "bob", "cleo"):
        put(crm, key, {"email": f"{key}@example.com"})

    first = crm.get(f"{URL}?limit=2")
    assert_described(first)
    rest = crm.get(first.json()["next"]).json()
    assert [person["key"] for person in first.json()["results"] + rest["results"]] == ["cleo", "bob", "ada"]
    assert rest["next"] is None
    found = crm.get(URL, {"email": "bob@example.com"}).json()["results"]
    assert [person["key"] for person in found] == ["bob"]


@pytest.mark.parametrize(
    ("method", "lacking"),
    [("put", "add"), ("put", "change"), ("delete", "delete"), ("get", "view")],
)
def test_each_thing_takes_djangos_permission_on_users(client_with: StartClient, method: str, lacking: str) -> None:
    client = client_with(*{f"{verb}_user" for verb in ("view", "add", "change", "delete")} - {f"{lacking}_user"})
    detail = f"To do this you need the permission auth.{lacking}_user."
    response = getattr(client, method)(f"{URL}ada/", ADA if method == "put" else None, format="json")
    assert_problem(response, problem(403, "permission_denied", detail))
    assert not Person.objects.exists()


def test_a_key_of_the_api_needs_the_scope_for_people(crm: APIClient) -> None:
    caller = User.objects.get(username="caller")
    statuses = {}
    for scope in ("users:read", "users:write", "triggers:write"):
        key = ApiKey(user=caller, name=scope, scopes=[scope])
        text = secret.new()
        key.set_secret(text)
        key.save()
        from django.test import override_settings

        with override_settings(
            TRIGGERS_API_AUTHENTICATION_CLASSES=["triggers_api.keys.authentication.ApiKeyAuthentication"]
        ):
            client = APIClient(headers={"authorization": f"Bearer {text}"})
            statuses[scope] = (put(client, "ada").status_code, client.get(URL).status_code)
    assert statuses == {"users:read": (403, 200), "users:write": (201, 200), "triggers:write": (403, 403)}
