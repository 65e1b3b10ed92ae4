"""What the schema allows is accepted, and what it does not allow is refused: where the two once differed."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from jsonschema import ValidationError
from rest_framework.test import APIClient

from tests.api.conftest import StartClient
from tests.api.described import operation_of, validate
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers.models import Trigger

pytestmark = pytest.mark.django_db

URL = "/api/v1/"
EVENT = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "probe.ProbeEvent", "subject": "17"}


@pytest.fixture
def caller(client_with: StartClient) -> APIClient:
    return client_with("add_trigger", "change_trigger", "fire_event")


@pytest.fixture(autouse=True)
def _rows_that_bodies_name(db: None) -> None:
    trigger = Trigger.objects.create(pk=3, name="Old", is_enabled=True)
    ProbeEvent.objects.create(pk=7, trigger=trigger)
    RecordEffectAction.objects.create(trigger=trigger)
    User.objects.create_user("anna", pk=17)
    Group.objects.create(pk=5, name="staff")


def post(client: APIClient, path: str, body: Any, content_type: str) -> Any:
    return client.post(URL + path, json.dumps(body), content_type=content_type)


def is_allowed(path: str, body: Any, content_type: str) -> bool:
    """Whether the schema allows the body."""
    operation = operation_of(URL + path, "POST")
    assert operation is not None
    try:
        validate(operation["requestBody"]["content"][content_type]["schema"], body)
    except ValidationError:
        return False
    return True


def condition(**fields: Any) -> Any:
    body = {"type": "triggers.Trigger", "name": "New", "conditions": [{"type": "variety.VariedCondition", **fields}]}
    return "triggers/", body, "application/json"


def firing(**fields: Any) -> Any:
    return "fire/", {"type": "probe.ProbeEvent"} | fields, "application/json"


def batch(*items: Any) -> Any:
    return "fire/batch/", {"items": list(items)}, "application/json"


def cloud_event(**attributes: Any) -> Any:
    return "cloudevents/", EVENT | attributes, "application/cloudevents+json"


def cloud_events(*events: Any) -> Any:
    return "cloudevents/", list(events), "application/cloudevents-batch+json"


USER = {"user": "17"}

ALLOWED = {
    "a number that happens to have a point": condition(number=1.0, group=5.0),
    "keys in a list that happen to have a point": condition(groups=[5.0]),
    "a user whose number has a point": firing(user=17.0),
    "users whose numbers have a point": firing(users=[17.0]),
    "an event whose number has a point": ("fire/", {"event": 7.0} | USER, "application/json"),
    "an IPv4 address": condition(ip="192.0.2.1"),
    "an IPv6 address": condition(ip="2001:db8::1"),
    "no address": condition(ip=None),
    "a URL": condition(url="https://example.com/?a=b#c"),
    "no URL": condition(url=""),
    "a time without seconds": condition(time="09:30"),
    "a time with microseconds": condition(time="23:59:59.999999"),
    "a duration with a fraction": condition(period="P1DT1.5S"),
    "a duration with a sign": condition(period="-P1DT2H"),
    "any JSON": condition(data=[{"a": None}]),
    "a delay with a fraction": firing(**USER, delay="PT0.5S"),
    "a key of spaces": batch({"type": "probe.ProbeEvent", **USER, "idempotency_key": " "}),
    "an attribute of letters and digits": cloud_event(partition2="a"),
    "an attribute that is a number with a point": cloud_event(sequence=7.0),
    "data in JSON by another name": cloud_event(datacontenttype="application/problem+JSON ; charset=utf-8"),
}

NOT_ALLOWED = {
    "a number with a fraction": condition(number=1.5),
    "a user with a fraction": firing(user=1.5),
    "a user beyond all keys": firing(user=2**31),
    "a URL of another scheme": condition(url="mailto:anna@example.com"),
    "a URL that is too long": condition(url=f"https://example.com/{'x' * 200}"),
    "a word for an IP address": condition(ip="localhost"),
    "a time with an offset": condition(time="09:30:00Z"),
    "a time without a colon": condition(time="0930"),
    "a time with one digit": condition(time="9:30"),
    "a duration in months": condition(period="P1M"),
    "null for JSON that may not be null": condition(data=None),
    "a delay before the event": firing(**USER, delay="-PT1S"),
    "no users": firing(users=[]),
    "no events": batch(),
    "a key that no header could hold": batch({"type": "probe.ProbeEvent", **USER, "idempotency_key": "é"}),
    "a key that is too long": batch({"type": "probe.ProbeEvent", **USER, "idempotency_key": "x" * 256}),
    "no CloudEvents": cloud_events(),
    "an attribute in capitals": cloud_event(traceParent="a"),
    "an attribute without a name": cloud_event(**{"": "a"}),
    "an attribute with a fraction": cloud_event(sequence=7.5),
    "data in XML": cloud_event(datacontenttype="application/xml"),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_what_the_schema_allows_is_accepted(caller: APIClient, what: str) -> None:
    path, body, content_type = ALLOWED[what]

    assert is_allowed(path, body, content_type)
    response = post(caller, path, body, content_type)
    assert response.status_code in (201, 202), response.json()


@pytest.mark.parametrize("what", NOT_ALLOWED)
def test_what_the_schema_does_not_allow_is_refused(caller: APIClient, what: str) -> None:
    path, body, content_type = NOT_ALLOWED[what]

    assert not is_allowed(path, body, content_type)
    response = post(caller, path, body, content_type)
    assert response.status_code == 400


def test_a_component_is_known_by_a_number_that_happens_to_have_a_point(caller: APIClient) -> None:
    body = {"events": [{"type": "probe.ProbeEvent", "id": 7.0}]}

    response = caller.patch(f"{URL}triggers/3/", body, format="json")

    assert response.status_code == 200
    assert response.json()["events"] == [{"type": "probe.ProbeEvent", "id": 7, "delay": "P0DT00H00M00S"}]


def test_a_change_needs_no_body_and_then_changes_nothing(caller: APIClient) -> None:
    operation = operation_of(f"{URL}triggers/3/", "PATCH")
    assert operation is not None
    before = Trigger.objects.values().get()

    response = caller.patch(f"{URL}triggers/3/")

    assert response.status_code == 200
    assert operation["requestBody"]["required"] is False
    assert Trigger.objects.values().get() == before


def test_a_field_for_any_json_may_be_told_as_null(client_with: StartClient) -> None:
    body = {"type": "triggers.Trigger", "name": "New", "actions": [{"type": "probe.AwaitAction", "matching": None}]}

    response = post(client_with("add_trigger"), "triggers/", body, "application/json")  # held against the schema

    assert response.status_code == 201
    assert response.json()["actions"][0]["matching"] is None
    assert is_allowed("triggers/", body, "application/json")
