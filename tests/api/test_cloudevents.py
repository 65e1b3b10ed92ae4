"""``cloudevents/``: what other systems tell of, in the three modes of HTTP, and the handshake of webhooks."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from django.contrib.auth.models import User
from rest_framework.test import APIClient
from rest_framework.throttling import UserRateThrottle

from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, database, invalid, problem
from tests.api.records import match
from triggers.models import Occurrence, Run, Trigger
from triggers_api.cloudevents import decode_header
from triggers_api.views.cloudevents import CloudEventsView

pytestmark = pytest.mark.django_db

URL = "/api/v1/cloudevents/"
TYPE = "app.TaskCompletedEvent"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
REQUIRED = "This field is required."
BLANK = "This field may not be blank."
NOT_TEXT = "Not a valid string."
NO_SUBJECT = "Name in subject the user to whom the event happened."
NOT_JSON = "Only data in JSON is understood."
NOT_AN_EXTENSION = "Write a string, an integer, true or false."
AN_EVENT = {"specversion": "1.0", "id": "7", "source": "/shop", "type": TYPE, "subject": "1"}
BASE64 = "Send the data as a JSON object, in data."


def an_event(user: User, **attributes: Any) -> dict[str, Any]:
    """An event in its JSON form; attributes that are ... are left out."""
    event = AN_EVENT | {"subject": str(user.pk)} | attributes
    return {name: value for name, value in event.items() if value is not ...}


def structured(client: APIClient, event: Any, content_type: str = STRUCTURED, **headers: str) -> Any:
    return client.post(URL, json.dumps(event), content_type=content_type, headers=headers)


def batched(client: APIClient, *events: Any) -> Any:
    return structured(client, list(events), BATCH)


def binary(client: APIClient, event: dict[str, Any], content_type: str = "application/json", body: Any = None) -> Any:
    data = event.pop("data", ...)
    if body is None:
        body = "" if data is ... else json.dumps(data)
    headers = {f"ce-{name}": value for name, value in event.items()}
    return client.generic("POST", URL, body, content_type=content_type, headers=headers)


def delivered(client: APIClient, message: HTTPMessage) -> Any:
    headers = dict(message.headers)
    content_type = next(headers.pop(name) for name in list(headers) if name.lower() == "content-type")
    body: Any = message.body
    return client.generic("POST", URL, body, content_type=content_type, headers=headers)


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
def test_what_the_sdk_sends_is_fired(client: APIClient, anna: User, trigger: Trigger, write: Any) -> None:
    event = CloudEvent(
        {
            "id": "7 €😀%",
            "source": "/shop?a=b c",
            "type": TYPE,
            "subject": str(anna.pk),
            "specversion": "1.0",
            "time": datetime(2026, 1, 31, 9, tzinfo=UTC),
            "datacontenttype": "application/json",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        },
        {"task_id": 7, "name": "Müller"},
    )

    response = delivered(client, write(event))

    assert response.status_code == 202, response.content
    body = response.json()
    occurrence, run = Occurrence.objects.get(), Run.objects.get()
    assert (body["id"], body["type"], body["matched"]) == (str(occurrence.pk), TYPE, [match(trigger)])
    assert body["context"] == {"task_id": 7, "name": "Müller"}
    assert body["occurred_at"] == "2026-01-31T09:00:00Z"
    assert body["source"] == f"user:{occurrence.fired_by_id}/cloudevents"
    assert occurrence.key == json.dumps(["/shop?a=b c", "7 €😀%"], separators=(",", ":"))
    assert run.user == anna
    assert response.headers["Location"] == f"/api/v1/occurrences/{occurrence.pk}/"
    assert client.get(response.headers["Location"]).json() == body
    # The event is the same however it comes.
    other = to_structured_event if write is to_binary_event else to_binary_event
    again = delivered(client, other(event))
    assert (again.status_code, again.headers["Idempotent-Replayed"], again.json()) == (202, "true", body)


def test_a_batch_is_fired(client: APIClient, anna: User, trigger: Trigger) -> None:
    response = batched(client, an_event(anna), an_event(anna, id="8", data={"a": 1}), an_event(anna))

    assert response.status_code == 202
    first, second, third = response.json()["occurrences"]
    assert third == first | {"replayed": True}
    assert (first["context"], second["context"], second["replayed"]) == ({}, {"a": 1}, False)
    assert Run.objects.count() == 2


def test_source_and_id_together_tell_events_apart(client: APIClient, anna: User) -> None:
    for source, id in [("/a", "1"), ("/a", "2"), ("/b", "1"), ("/a\n1", "1"), ("x" * 1000, "1"), ("x" * 1000, "2")]:
        response = structured(client, an_event(anna, source=source, id=id))
        assert "Idempotent-Replayed" not in response.headers
        again = structured(client, an_event(anna, source=source, id=id))
        assert again.headers["Idempotent-Replayed"] == "true"
    assert Occurrence.objects.count() == 6


def test_an_id_of_other_content_is_refused(client: APIClient, anna: User) -> None:
    structured(client, an_event(anna))
    recorded_at = Occurrence.objects.get().recorded_at.isoformat()

    response = structured(client, an_event(anna, data={"a": 1}))

    detail = f'The key “["/shop","7"]” was used on {recorded_at} for other content.'
    assert_problem(response, problem(422, "key_conflict", detail, [("/id", "key_conflict", detail)]))


@pytest.mark.parametrize(
    ("content_type", "attributes"),
    [
        (STRUCTURED, {"data": None, "dataschema": None, "time": None, "datacontenttype": None, "traceparent": None}),
        (STRUCTURED, {"datacontenttype": "application/vnd.shop+json; charset=utf-8", "data": {}}),
        (f"{STRUCTURED}; charset=UTF-8", {"data_base64": None, "sampledrate": 7, "isgood": True}),
        ("Application/CloudEvents+JSON", {}),
    ],
)
def test_what_may_be_left_out_may_be_null(
    client: APIClient, anna: User, content_type: str, attributes: dict[str, Any]
) -> None:
    response = structured(client, an_event(anna, **attributes), content_type)

    assert response.status_code == 202, response.content
    assert response.json()["context"] == {}


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b""),
        ("application/json", b"null"),
        ("application/json; charset=utf-8", b"{}"),
        ("application/vnd.shop+json", b"{}"),
        ("text/json", b"{}"),
    ],
)
def test_data_in_the_body_may_be_any_json(client: APIClient, anna: User, content_type: str, body: bytes) -> None:
    response = binary(client, an_event(anna), content_type, body)

    assert response.status_code == 202, response.content
    assert response.json()["context"] == {}


def test_an_event_without_data_needs_no_content_type(client: APIClient, anna: User) -> None:
    assert binary(client, an_event(anna), content_type="").status_code == 202


def test_headers_are_not_read_where_the_body_is_the_event(client: APIClient, anna: User) -> None:
    response = structured(client, an_event(anna), **{"ce-id": "8", "ce-type": "nothing", "ce-specversion": "0.3"})

    assert response.status_code == 202
    assert Occurrence.objects.get().key == '["/shop","7"]'


WRONG: list[Any] = [1.0, True, ["a"], {}]
NO_OBJECTS: list[Any] = [[], "a", 1, False, 1.5]
#: Changes to an event in its JSON form, and what is answered to it.
REFUSED: dict[str, tuple[dict[str, Any], list[tuple[str, str, str]]]] = {
    **{
        f"{state} {name}": ({name: value}, [(f"/{name}", code, NO_SUBJECT if "subject" in name else REQUIRED)])
        for name in ("specversion", "id", "source", "type", "subject")
        for state, value, code in (("no", ..., "required"), ("a null", None, "required"))
    },
    **{
        f"a blank {name}": ({name: ""}, [(f"/{name}", "blank", BLANK)])
        for name in ("specversion", "id", "source", "type", "datacontenttype", "dataschema")
    },
    **{
        f"{name} {value}": ({name: value}, [(f"/{name}", "invalid", NOT_TEXT)])
        for name in ("specversion", "id", "source", "type", "datacontenttype", "dataschema")
        for value in WRONG
    },
    "another version": (
        {"specversion": "0.3"},
        [("/specversion", "specversion_unknown", "Only the version 1.0 is understood.")],
    ),
    "a subject that is a number": ({"subject": 1}, [("/subject", "invalid", "Name the user in a string.")]),
    "a malformed subject": (
        {"subject": "anna"},
        [("/subject", "user_invalid", "'anna' cannot be the primary key of a user.")],
    ),
    "a blank subject": ({"subject": ""}, [("/subject", "user_invalid", "'' cannot be the primary key of a user.")]),
    "a time without offset": (
        {"time": "2026-01-31T09:00:00"},
        [("/time", "offset_missing", "Add the offset from UTC, as in 2026-01-31T09:00:00Z.")],
    ),
    "a time that is none": (
        {"time": 1769850000},
        [("/time", "invalid", "Write a date and time as in 2026-01-31T09:00:00Z.")],
    ),
    "data in XML": (
        {"datacontenttype": "application/xml", "data": "<a/>"},
        [("/datacontenttype", "datacontenttype_unknown", NOT_JSON)],
    ),
    "data twice": ({"data": {}, "data_base64": "e30="}, [("/data_base64", "exclusive", BASE64)]),
    "data in base64": ({"data_base64": "e30="}, [("/data_base64", "invalid", BASE64)]),
    "an attribute in capitals": (
        {"traceParent": "00"},
        [("/traceParent", "attribute_invalid", "Names of attributes are of a to z and 0 to 9.")],
    ),
    "an extension that is an object": ({"trace": {}}, [("/trace", "attribute_invalid", NOT_AN_EXTENSION)]),
    "an extension that is a fraction": ({"trace": 1.5}, [("/trace", "attribute_invalid", NOT_AN_EXTENSION)]),
    "much": (
        {"id": ..., "source": 1, "trace": [], "time": ""},
        [
            ("/id", "required", REQUIRED),
            ("/source", "invalid", NOT_TEXT),
            ("/time", "invalid", "Write a date and time as in 2026-01-31T09:00:00Z."),
            ("/trace", "attribute_invalid", NOT_AN_EXTENSION),
        ],
    ),
}
#: The same, where the library says no.
REFUSED_BY_FIRE: dict[str, tuple[dict[str, Any], tuple[int, str, str, str]]] = {
    "an unknown type": (
        {"type": "app.NoSuchEvent"},
        (400, "event_type_unknown", "/type", "No installed event type is called “app.NoSuchEvent”."),
    ),
    "an unknown subject": ({"subject": "987654"}, (400, "users_unknown", "/subject", "The user does not exist.")),
    **{
        f"data that is {data!r}": (
            {"data": data},
            (400, "context_invalid", "/data", f"The context must be an object, not {type(data).__name__}."),
        )
        for data in NO_OBJECTS
    },
    "data with a reserved name": (
        {"data": {"user": 1}},
        (
            400,
            "context_key_reserved",
            "/data/user",
            "“user” is set by dj-triggers; use another name for it in the context.",
        ),
    ),
}


@pytest.mark.parametrize(("change", "errors"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_event_is_refused(
    client: APIClient, anna: User, trigger: Trigger, change: dict[str, Any], errors: list[tuple[str, str, str]]
) -> None:
    before = database()

    assert_problem(structured(client, an_event(anna, **change)), invalid(*errors))

    in_batch = [(f"/1{pointer}", code, detail) for pointer, code, detail in errors]
    assert_problem(batched(client, an_event(anna), an_event(anna, **change)), invalid(*in_batch))
    assert database() == before


@pytest.mark.parametrize(("change", "refusal"), REFUSED_BY_FIRE.values(), ids=REFUSED_BY_FIRE.keys())
def test_an_event_that_cannot_be_fired_is_refused(
    client: APIClient, anna: User, trigger: Trigger, change: dict[str, Any], refusal: tuple[int, str, str, str]
) -> None:
    status, code, pointer, detail = refusal
    before = database()

    expected = problem(status, code, detail, [(pointer, code, detail)])
    assert_problem(structured(client, an_event(anna, **change)), expected)
    assert_problem(binary(client, an_event(anna, **change)), expected)

    expected = problem(status, code, detail, [(f"/1{pointer}", code, detail)])
    assert_problem(batched(client, an_event(anna, id="8"), an_event(anna, **change)), expected)
    assert database() == before


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], invalid(("", "empty", "This list may not be empty."))),
        ([AN_EVENT] * 101, invalid(("", "max_length", "Ensure this field has no more than 100 elements."))),
        ({}, problem(400, "json_not_a_list", "The body is not a JSON array.")),
        ([1], invalid(("/0", "invalid", "Invalid data. Expected a dictionary, but got int."))),
        ([[]], invalid(("/0", "invalid", "Invalid data. Expected a dictionary, but got list."))),
        ([None], invalid(("/0", "null", "This field may not be null."))),
    ],
    ids=["empty", "too large", "no list", "a number", "a list", "null"],
)
def test_a_bad_batch_is_refused(client: APIClient, events: Any, expected: dict[str, Any]) -> None:
    assert_problem(structured(client, events, BATCH), expected)


def test_an_empty_body_is_no_event(client: APIClient) -> None:
    required = [(f"/{name}", "required", REQUIRED) for name in ("specversion", "id", "source", "type")]
    nothing = invalid(*required, ("/subject", "required", NO_SUBJECT))

    assert_problem(client.generic("POST", URL, "", content_type=STRUCTURED), nothing)
    assert_problem(client.generic("POST", URL, "", content_type=""), nothing)
    assert_problem(client.generic("POST", URL, "{}", content_type="application/json"), nothing)
    empty = invalid(("", "empty", "This list may not be empty."))
    assert_problem(client.generic("POST", URL, "", content_type=BATCH), empty)


@pytest.mark.parametrize(
    ("content_type", "body", "code", "pointer"),
    [
        (STRUCTURED, b"[]", "json_not_an_object", None),
        (STRUCTURED, b'{"id": 1, "id": 2}', "json_key_repeated", None),
        (STRUCTURED, b'{"data": {"a": NaN}}', "json_number_invalid", "/data/a"),
        (BATCH, rb'[{"id": "\u0000"}]', "json_text_invalid", "/0/id"),
        (BATCH, b"[" * 40 + b"]" * 40, "json_too_deep", "/0" * 32),
        ("application/json", b'{"a": 1e999}', "json_number_invalid", "/data/a"),
        ("application/json", b"\xff", "json_malformed", None),
        ("application/json", b'{"a": "' + b"x" * 2**20 + b'"}', "body_too_large", None),
    ],
)
def test_json_is_read_as_strictly_as_everywhere(
    client: APIClient, anna: User, content_type: str, body: bytes, code: str, pointer: str | None
) -> None:
    response = binary(client, an_event(anna), content_type, body)

    assert response.status_code == (413 if code == "body_too_large" else 400)
    assert response.json()["code"] == code
    assert [error["pointer"] for error in response.json()["errors"]] == ([] if pointer is None else [pointer])


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/xml",
        "application/cloudevents",
        "application/cloudevents+avro",
        "application/cloudevents-batch",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
@pytest.mark.parametrize("body", [b"{}", b""], ids=["a body", "no body"])
def test_what_is_not_json_is_refused(client: APIClient, anna: User, content_type: str, body: bytes) -> None:
    response = binary(client, an_event(anna), content_type, body)

    detail = f'Unsupported media type "{content_type}" in request.'
    assert_problem(response, problem(415, "unsupported_media_type", detail))


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("plain", "plain"),
        ("a%20b", "a b"),
        ("%e2%82%AC%F0%9F%98%80", "€😀"),
        ("%61", "a"),
        ("%2525", "%25"),
        ('"a b"', "a b"),
        (r'"a \"b\" \\ c"', r'a "b" \ c'),
        ('""', ""),
        ('a"b', 'a"b'),
        ('"%20"', " "),
    ],
)
def test_headers_are_decoded(header: str, text: str) -> None:
    assert decode_header(header) == text


HEADERS = {
    "%": "A % in the header is not followed by two hexadecimal digits.",
    "%2": "A % in the header is not followed by two hexadecimal digits.",
    "%zz": "A % in the header is not followed by two hexadecimal digits.",
    "%C0%A0": "What is percent-encoded in the header is not UTF-8.",
    "%ED%A0%BD": "What is percent-encoded in the header is not UTF-8.",
    "%FF": "What is percent-encoded in the header is not UTF-8.",
    "%00": "The header holds control characters.",
    "%0A": "The header holds control characters.",
    "%C2%80": "The header holds control characters.",
    '"a': "The header begins with a quotation mark that does not end it.",
    '"a" b': "The header begins with a quotation mark that does not end it.",
    "ä": "The header holds characters that are to be percent-encoded.",
    "a\tb": "The header holds characters that are to be percent-encoded.",
}


@pytest.mark.parametrize(("value", "detail"), HEADERS.items())
def test_a_header_that_cannot_be_decoded_is_refused(client: APIClient, anna: User, value: str, detail: str) -> None:
    response = binary(client, an_event(anna, id=value, subject=value))

    expected = invalid(("/id", "header_invalid", detail), ("/subject", "header_invalid", detail))
    assert_problem(response, expected)
    assert not Occurrence.objects.exists()


@pytest.mark.parametrize("name", ["data", "datacontenttype"])
def test_data_is_not_taken_from_a_header(client: APIClient, anna: User, name: str) -> None:
    headers = {f"ce-{attribute}": value for attribute, value in (an_event(anna) | {name: "{}"}).items()}

    response = client.post(URL, "{}", content_type="application/json", headers=headers)

    detail = "This is not sent in a header of its own: it is the body and its Content-Type."
    assert_problem(response, invalid((f"/{name}", "header_invalid", detail)))


def test_the_handshake_of_webhooks_needs_no_credentials() -> None:
    response = APIClient().options(
        URL, headers={"WebHook-Request-Origin": "events.example.com", "WebHook-Request-Rate": "120"}
    )

    assert response.status_code == 200
    assert response.content == b""
    assert "POST" in response.headers["Allow"]
    assert response.headers["WebHook-Allowed-Origin"] == "events.example.com"
    assert response.headers["WebHook-Allowed-Rate"] == "*"


def test_without_an_origin_nothing_is_allowed() -> None:
    response = APIClient().options(URL)

    assert (response.status_code, response.content) == (200, b"")
    assert not [name for name in response.headers if name.lower().startswith("webhook-")]


class TwiceAnHour(UserRateThrottle):
    rate = "2/hour"


class ThreeASecond(UserRateThrottle):
    rate = "3/second"


@pytest.mark.parametrize(
    ("throttles", "rate"), [([ThreeASecond], "180"), ([ThreeASecond, TwiceAnHour], "1")], ids=["fast", "slow"]
)
def test_the_handshake_tells_how_often_senders_may_come(
    monkeypatch: pytest.MonkeyPatch, throttles: Any, rate: str
) -> None:
    monkeypatch.setattr(CloudEventsView, "throttle_classes", throttles)

    for _ in range(3):
        response = APIClient().options(URL, headers={"WebHook-Request-Origin": "events.example.com"})
        assert (response.status_code, response.headers["WebHook-Allowed-Rate"]) == (200, rate)


def test_events_take_credentials_and_a_permission(client_with: StartClient, anna: User) -> None:
    detail = "Authentication credentials were not provided."
    assert_problem(structured(APIClient(), an_event(anna)), problem(401, "not_authenticated", detail))
    detail = "To fire events you need the permission triggers.fire_event."
    assert_problem(structured(client_with("view_run"), an_event(anna)), problem(403, "permission_denied", detail))
    assert not Occurrence.objects.exists()


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD"])
def test_events_are_posted(client: APIClient, method: str) -> None:
    response = client.generic(method, URL)

    assert response.status_code == 405
    assert response.headers["Allow"] == "POST, OPTIONS"
