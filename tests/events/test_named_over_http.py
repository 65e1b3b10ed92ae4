"""Event types over HTTP: made, told, changed and deleted; and fired by their names."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from pytest_django import Settings
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger
from tests.api.described import assert_described
from tests.api.problems import assert_problem, invalid, problem
from tests.probe.models import RecordEffectAction
from triggers.contrib.events.models import EventType, NamedEvent
from triggers.models import Occurrence, Run
from triggers_api.keys import secret
from triggers_api.keys.models import ApiKey

pytestmark = pytest.mark.django_db

URL = "/api/v1/event-types/"
SCHEMA = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
PAID: dict[str, Any] = {"name": "order.paid", "description": "An order was paid.", "context_schema": SCHEMA}
Started = Callable[..., APIClient]


@pytest.fixture(autouse=True)
def _described(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = APIClient.request

    def request(client: APIClient, **environment: Any) -> Any:
        response = plain(client, **environment)
        assert_described(response)
        return response

    monkeypatch.setattr(APIClient, "request", request)


@pytest.fixture
def client_with(db: None) -> Started:
    def client_with(*codenames: str) -> Any:
        user = User.objects.create_user("caller")
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user).key}")
        return client

    return client_with


@pytest.fixture
def admin(db: None) -> APIClient:
    user = User.objects.create_superuser("admin")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user).key}")
    return client


def post(client: APIClient, body: Any = PAID) -> Any:
    return client.post(URL, body, format="json")


def in_list(client: APIClient, name: str) -> list[dict[str, Any]]:
    return [each for each in client.get(URL).json()["results"] if each["type"] == name]


def history() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


def test_a_type_is_made_told_changed_and_deleted(admin: APIClient) -> None:
    made = post(admin)
    assert (made.status_code, made.json()) == (201, PAID)
    assert made.headers["Location"] == f"{URL}order.paid/"
    assert in_list(admin, "order.paid") == [
        {
            "type": "order.paid",
            "title": "order.paid",
            "description": "An order was paid.",
            "context_schema": SCHEMA,
            "enabled_triggers": 0,
        }
    ]
    told = admin.get(made.headers["Location"])
    assert (told.status_code, told.json()) == (200, PAID)
    assert told.headers["ETag"] == made.headers["ETag"]

    patched = admin.patch(f"{URL}order.paid/", {"description": "Paid."}, format="json")
    assert (patched.status_code, patched.json()) == (200, PAID | {"description": "Paid."})
    put = admin.put(f"{URL}order.paid/", {"name": "order.paid"}, format="json")
    assert (put.status_code, put.json()) == (200, {"name": "order.paid", "description": "", "context_schema": None})
    assert admin.put(f"{URL}order.paid/", {"name": "order.paid"}, format="json").status_code == 200

    assert admin.delete(f"{URL}order.paid/").status_code == 204
    assert_problem(admin.get(f"{URL}order.paid/"), problem(404, "not_found", "Not found."))
    assert history() == ["Added over HTTP.", "Changed over HTTP.", "Changed over HTTP.", "Deleted over HTTP."]


def test_a_change_is_made_to_what_was_read_or_not_at_all(admin: APIClient) -> None:
    tag = post(admin).headers["ETag"]
    fresh = {"HTTP_IF_MATCH": tag}
    changed = admin.patch(f"{URL}order.paid/", {"description": "Paid."}, format="json", **fresh)
    assert changed.status_code == 200
    assert admin.get(f"{URL}order.paid/", HTTP_IF_NONE_MATCH=changed.headers["ETag"]).status_code == 304

    stale = problem(
        412,
        "precondition_failed",
        "The type has changed since it was read. Read it again, and send its ETag of now as If-Match.",
    )
    assert_problem(admin.patch(f"{URL}order.paid/", {}, format="json", **fresh), stale)
    assert_problem(admin.put(f"{URL}order.paid/", PAID, format="json", **fresh), stale)
    assert_problem(admin.delete(f"{URL}order.paid/", **fresh), stale)
    assert admin.delete(f"{URL}order.paid/", HTTP_IF_MATCH=changed.headers["ETag"]).status_code == 204


def test_a_name_may_have_slashes(admin: APIClient) -> None:
    made = post(admin, {"name": "com.example/order/paid"})
    assert made.headers["Location"] == f"{URL}com.example/order/paid/"
    assert admin.get(f"{URL}com.example/order/paid/").json()["name"] == "com.example/order/paid"
    assert admin.get(f"{URL}com.example%2Forder%2Fpaid").json()["name"] == "com.example/order/paid"


def test_a_type_that_triggers_use_is_not_deleted(admin: APIClient) -> None:
    post(admin)
    trigger = a_trigger(RecordEffectAction(), name="Thank", event=NamedEvent(event_type_id="order.paid"))
    assert in_list(admin, "order.paid")[0]["enabled_triggers"] == 1
    detail = "Events of the type “order.paid” start “Thank”: change those first."
    assert_problem(admin.delete(f"{URL}order.paid/"), problem(409, "event_type_used", detail))
    trigger.delete()
    assert admin.delete(f"{URL}order.paid/").status_code == 204


@pytest.mark.parametrize(
    "name", ["a%00b", "order.lost", "probe.ProbeEvent", "..", "x" * 300, "%F0%9F%98%80", "%ED%A0%80"]
)
def test_what_is_no_name_of_a_row_is_not_found(admin: APIClient, name: str) -> None:
    assert_problem(admin.get(f"{URL}{name}/"), problem(404, "not_found", "Not found."))
    assert_problem(admin.delete(f"{URL}{name}/"), problem(404, "not_found", "Not found."))


def test_who_may_do_what(client_with: Started) -> None:
    EventType.objects.create(**PAID)
    reader = client_with("view_trigger")
    assert reader.get(f"{URL}order.paid/").status_code == 200
    for method, needed in (("post", "add"), ("put", "change"), ("patch", "change"), ("delete", "delete")):
        url = URL if method == "post" else f"{URL}order.paid/"
        refused = getattr(reader, method)(url, PAID, format="json")
        detail = f"To do this you need the permission triggers.{needed}_trigger."
        assert_problem(refused, problem(403, "permission_denied", detail))


def test_a_trigger_names_its_event_by_the_name(admin: APIClient) -> None:
    post(admin, {"name": "order.paid"})
    body = {
        "type": "triggers.Trigger",
        "name": "Thank",
        "events": [
            {"type": "triggers_events.NamedEvent", "event_type": "order.paid", "expression": "context.amount > 5"}
        ],
        "actions": [{"type": "probe.RecordEffectAction"}],
    }
    made = admin.post("/api/v1/triggers/", body, format="json")
    assert made.status_code == 201, made.json()
    (event,) = made.json()["events"]
    assert event == {
        "type": "triggers_events.NamedEvent",
        "id": event["id"],
        "delay": "P0DT00H00M00S",
        "event_type": "order.paid",
        "expression": "context.amount > 5",
    }

    for wrong, code in (("order.lost", "does_not_exist"), (7, None), (["order.paid"], None), ("", None), (None, None)):
        refused = admin.post(
            "/api/v1/triggers/",
            body | {"name": "Other", "events": [{"type": "triggers_events.NamedEvent", "event_type": wrong}]},
            format="json",
        )
        assert refused.status_code == 400, wrong
        (error,) = refused.json()["errors"]
        if refused.json()["code"] == "body_invalid":
            assert error["pointer"] == "/events/0/event_type"
            assert code in (None, error["code"]), error


def test_a_name_is_fired_as_any_type(admin: APIClient) -> None:
    post(admin)
    trigger = a_trigger(RecordEffectAction(), name="Thank", event=NamedEvent(event_type_id="order.paid"))
    event = trigger.events.get()
    ada = User.objects.create_user("ada")
    call = {"type": "order.paid", "user": str(ada.pk), "context": {"amount": 7}}

    fired = admin.post("/api/v1/fire/", call, format="json")
    assert fired.status_code == 202, fired.json()
    assert fired.json()["type"] == "order.paid"
    explained = admin.post("/api/v1/explain/", call, format="json")
    assert [each["would_run"] for each in explained.json()["explanations"]] == [True]
    batch = admin.post("/api/v1/fire/batch/", {"items": [call, call]}, format="json")
    assert batch.status_code == 202
    by_id = {"event": event.pk, "user": str(ada.pk), "context": {"amount": 7}}
    assert admin.post("/api/v1/fire/", by_id, format="json").json()["type"] == "order.paid"
    cloud = {
        "specversion": "1.0",
        "type": "order.paid",
        "source": "/shop",
        "id": "1",
        "subject": str(ada.pk),
        "data": {"amount": 7},
    }
    sent = admin.post("/api/v1/cloudevents/", json.dumps(cloud), content_type="application/cloudevents+json")
    assert sent.status_code == 202, sent.json()
    assert Occurrence.objects.filter(type="order.paid").count() == Occurrence.objects.count() == 5
    listed = admin.get("/api/v1/occurrences/", {"type": "order.paid"}).json()["results"]
    assert {each["type"] for each in listed} == {"order.paid"}
    runs = admin.get("/api/v1/runs/", {"type": "order.paid"}).json()["results"]
    assert len(runs) == Run.objects.count()
    triggers = admin.get("/api/v1/triggers/", {"event_type": "order.paid"})
    assert [each["name"] for each in triggers.json()["results"]] == ["Thank"]

    mismatch = admin.post("/api/v1/fire/", call | {"context": {"amount": "a lot"}}, format="json")
    detail = 'The context is not as the schema of order.paid asks: amount must be of the type number, not "a lot".'
    assert_problem(
        mismatch,
        problem(400, "context_schema_mismatch", detail, [("/context/amount", "context_schema_mismatch", detail)]),
    )


def test_a_key_may_be_limited_to_names(admin: APIClient, settings: Settings) -> None:
    settings.TRIGGERS_API_AUTHENTICATION_CLASSES = ["triggers_api.keys.authentication.ApiKeyAuthentication"]
    for name in ("order.paid", "order.refunded"):
        EventType.objects.create(name=name)
    key = ApiKey(name="Shop", user=User.objects.get(username="admin"), scopes=["fire"], event_types=["order.paid"])
    key.set_secret(secret.new())
    key.save()
    shop: Any = APIClient()
    shop.credentials(HTTP_AUTHORIZATION=f"Bearer {key.secret}")
    ada = User.objects.create_user("ada")
    assert [each["type"] for each in shop.get(URL).json()["results"]] == ["order.paid"]
    call = {"user": str(ada.pk)}
    assert shop.post("/api/v1/fire/", call | {"type": "order.paid"}, format="json").status_code == 202
    detail = "These credentials are not good for events of the type order.refunded."
    assert_problem(
        shop.post("/api/v1/fire/", call | {"type": "order.refunded"}, format="json"),
        problem(403, "event_type_not_permitted", detail, [("/type", "event_type_not_permitted", detail)]),
    )


def test_configuration_has_the_types_before_the_triggers(admin: APIClient) -> None:
    post(admin)
    a_trigger(RecordEffectAction(), name="Thank", event=NamedEvent(event_type_id="order.paid"))
    exported = admin.get("/api/v1/configuration/").json()
    assert exported["event_types"] == [PAID]
    assert exported["triggers"][0]["events"] == [
        {"type": "triggers_events.NamedEvent", "delay": "P0DT00H00M00S", "event_type": "order.paid", "expression": ""}
    ]
    unchanged = admin.put("/api/v1/configuration/", exported, format="json")
    assert unchanged.json() == {"applied": True, "changes": [], "left": []}

    kept = admin.put("/api/v1/configuration/?prune=true", {"event_types": []}, format="json")
    assert kept.status_code == 409
    pruned = admin.put("/api/v1/configuration/?prune=true", {"event_types": [], "triggers": []}, format="json")
    assert [(each["section"], each["action"]) for each in pruned.json()["changes"]] == [
        ("triggers", "delete"),
        ("event_types", "delete"),
    ]
    applied = admin.put("/api/v1/configuration/", exported, format="json")
    assert [(each["section"], each["action"]) for each in applied.json()["changes"]] == [
        ("event_types", "add"),
        ("triggers", "add"),
    ]
    assert admin.get("/api/v1/configuration/").json() == exported


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/name", "required"),
        ({"name": 7}, "/name", "invalid"),
        ({"name": "order paid"}, "/name", "invalid"),
        ({"name": "probe.ProbeEvent"}, "/name", "name_taken"),
        ({"name": "x" * 201}, "/name", "max_length"),
        ({"name": "a", "context_schema": []}, "/context_schema", "not_a_dict"),
        ({"name": "a", "context_schema": {"type": "amount"}}, "/context_schema", "schema_invalid"),
        ({"name": "a", "context_schema": {"$ref": "https://example.com/"}}, "/context_schema", "schema_invalid"),
        ({"name": "a", "title": "A"}, "/title", "unknown_field"),
    ],
)
def test_what_is_no_type_is_refused(admin: APIClient, body: Any, pointer: str, code: str) -> None:
    refused = post(admin, body)
    assert refused.status_code == 400
    assert [(each["pointer"], each["code"]) for each in refused.json()["errors"]] == [(pointer, code)]
    assert not EventType.objects.exists()


def test_names_are_unique_and_stay(admin: APIClient) -> None:
    post(admin)
    assert [each["code"] for each in post(admin).json()["errors"]] == ["unique"]
    expected = invalid(("/name", "name_fixed", "An event type keeps its name: make another one, and delete this one."))
    for method in (admin.put, admin.patch):
        assert_problem(method(f"{URL}order.paid/", {"name": "order.sold"}, format="json"), expected)
