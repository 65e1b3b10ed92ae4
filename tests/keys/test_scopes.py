"""What a key gives: never more than its user may do, and of that what its scopes say."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from tests.api.problems import assert_problem, database, problem
from tests.keys.conftest import MakeKey, client_of
from triggers import fire
from triggers.models import Trigger
from triggers_api.keys.models import ApiKey
from triggers_api.keys.scopes import SCOPES

pytestmark = pytest.mark.django_db

EVENT = "app.TaskCompletedEvent"
CALLS: dict[str, tuple[str, str, Any]] = {
    "fire": ("post", "fire/", 202),
    "explain": ("post", "explain/", 200),
    "runs:read": ("get", "runs/", 200),
    "triggers:read": ("get", "triggers/", 200),
}


def call(key: ApiKey, scope: str, user: User) -> Any:
    method, path, _status = CALLS[scope]
    body = {"type": EVENT, "users": [str(user.pk)]} if method == "post" else None
    return getattr(client_of(key), method)(f"/api/v1/{path}", body, format="json")


def _all_but(scope: str) -> list[str]:
    """The scopes that do not include what the scope stands for."""
    return [name for name in SCOPES if not SCOPES[name].permissions & SCOPES[scope].permissions]


@pytest.mark.parametrize("scope", CALLS)
def test_a_scope_opens_what_it_is_for(scope: str, make_key: MakeKey, anna: User, trigger: Trigger) -> None:
    assert call(make_key(scope), scope, anna).status_code == CALLS[scope][2]


@pytest.mark.parametrize("scope", CALLS)
def test_without_the_scope_the_users_permission_is_not_enough(
    scope: str, make_key: MakeKey, anna: User, trigger: Trigger
) -> None:
    before = database()
    response = call(make_key(*_all_but(scope)), scope, anna)
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    assert database() == before


@pytest.mark.parametrize("scope", CALLS)
def test_without_the_users_permission_the_scope_is_not_enough(
    scope: str, make_key: MakeKey, anna: User, trigger: Trigger
) -> None:
    nobody = User.objects.create_user("nobody")
    response = call(make_key(*SCOPES, user=nobody), scope, anna)
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")


def test_the_key_of_a_superuser_gives_no_more_than_its_scopes(
    make_key: MakeKey, anna: User, trigger: Trigger, admin_user: User
) -> None:
    key = make_key("explain", user=admin_user)
    assert call(key, "explain", anna).status_code == 200
    assert call(key, "fire", anna).status_code == 403


LIMITED = "These credentials are not good for events of the type app.TaskCompletedEvent."


def ways_to_name_it(trigger: Trigger, user: User) -> dict[str, tuple[str, dict[str, Any], str]]:
    """Path, body and the pointer of the refusal."""
    by_type = {"type": EVENT, "users": [str(user.pk)]}
    by_event = {"event": trigger.events.get().pk, "users": [str(user.pk)]}
    cloud_event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": EVENT, "subject": str(user.pk)}
    return {
        "type": ("fire/", by_type, "/type"),
        "configured event": ("fire/", by_event, "/event"),
        "batch": ("fire/batch/", {"items": [by_type]}, "/items/0/type"),
        "CloudEvent": ("cloudevents/", cloud_event, "/type"),
        "question": ("explain/", by_type, "/type"),
    }


@pytest.mark.parametrize("way", ["type", "configured event", "batch", "CloudEvent", "question"])
def test_a_key_may_be_limited_to_types_of_events(way: str, make_key: MakeKey, anna: User, trigger: Trigger) -> None:
    path, body, pointer = ways_to_name_it(trigger, anna)[way]
    content_type = "application/cloudevents+json" if way == "CloudEvent" else "application/json"

    def send(key: ApiKey) -> Any:
        return client_of(key).post(f"/api/v1/{path}", json.dumps(body), content_type=content_type)

    before = database()
    response = send(make_key("fire", "explain", event_types=["probe.ProbeEvent"]))
    assert response.status_code == 403
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [
        (pointer, "event_type_not_permitted")
    ]
    assert response.json()["errors"][0]["detail"] == LIMITED
    assert database() == before

    assert send(make_key("fire", "explain", event_types=[EVENT])).status_code in (200, 202)


def test_all_users_are_a_scope_of_their_own(make_key: MakeKey, anna: User, trigger: Trigger) -> None:
    def fire_to_all(*scopes: str) -> Any:
        return client_of(make_key(*scopes)).post("/api/v1/fire/", {"type": EVENT, "audience": "all"}, format="json")

    assert fire_to_all("fire").status_code == 403
    assert fire_to_all("fire:all").status_code == 403
    assert fire_to_all("fire", "fire:all").status_code == 202


def test_a_key_permits_what_its_scopes_stand_for() -> None:
    key = ApiKey(scopes=["triggers:write", "a scope of the past"])
    assert key.permits("triggers.change_trigger")
    assert key.permits("triggers.view_trigger")
    assert not key.permits("triggers.enable_trigger")
    assert not ApiKey().permits("triggers.view_trigger")


def test_a_key_is_good_for_the_types_it_is_limited_to() -> None:
    assert ApiKey().permits_event_type(EVENT)
    limited = ApiKey(event_types=[EVENT])
    assert limited.permits_event_type(EVENT)
    assert not limited.permits_event_type("probe.ProbeEvent")


@pytest.mark.parametrize("scopes", [["fire", "fires"], "fire", [["fire"]], {"fire": 1}])
def test_what_is_no_list_of_scopes_is_refused(scopes: Any, shop: User) -> None:
    with pytest.raises(ValidationError) as refusal:
        ApiKey(name="Shop", user=shop, scopes=scopes).clean_fields(exclude=["prefix", "digest"])
    assert list(refusal.value.message_dict) == ["scopes"]
    assert f"there are {', '.join(SCOPES)}." in refusal.value.message_dict["scopes"][0]


def test_what_a_key_does_is_recorded_as_its_users(make_key: MakeKey, shop: User, anna: User, trigger: Trigger) -> None:
    call(make_key("fire"), "fire", anna)
    (occurrence,) = database()["Occurrence"]
    assert (occurrence["fired_by_id"], occurrence["source"]) == (shop.pk, f"user:{shop.pk}")


def test_the_refusal_names_what_is_missing(make_key: MakeKey) -> None:
    response = client_of(make_key("fire")).get("/api/v1/runs/")
    assert_problem(
        response, problem(403, "permission_denied", "To list runs you need the permission triggers.view_run.")
    )


@pytest.mark.parametrize(
    ("scopes", "event_types", "status", "may_see_context"),
    [
        (["fire"], [], 200, True),
        (["fire"], [EVENT], 200, True),
        (["fire"], ["probe.ProbeEvent"], 403, False),
        (["explain"], [], 403, False),
        (["runs:read"], [], 200, False),
        (["runs:read", "context:read"], [], 200, True),
    ],
)
def test_what_its_user_fired_is_told_to_a_key_that_is_good_for_firing_or_reading_it(
    make_key: MakeKey,
    shop: User,
    anna: User,
    trigger: Trigger,
    scopes: list[str],
    event_types: list[str],
    status: int,
    may_see_context: bool,
) -> None:
    occurrence = fire(EVENT, users=anna, context={"task_id": 1}, fired_by=shop)
    client = client_of(make_key(*scopes, event_types=event_types))

    response = client.get(f"/api/v1/occurrences/{occurrence.pk}/")

    assert response.status_code == status
    assert client.get(f"/api/v1/runs/{occurrence.runs.get().pk}/").status_code == status
    assert (response.json().get("context") == {"task_id": 1}) is may_see_context
