"""What is refused, with which words: nothing of it changes the database."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django import Settings
from rest_framework.authentication import BaseAuthentication, BasicAuthentication, SessionAuthentication
from rest_framework.test import APIClient
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from tests.api.conftest import StartClient
from tests.api.outage import DownDatabase
from tests.api.problems import assert_problem, database, invalid, problem
from triggers.audiences import audience_names
from triggers.models import Trigger
from triggers_api.parsers import StrictJSONParser
from triggers_api.views.base import TriggersView
from triggers_api.views.firing import FireView

pytestmark = pytest.mark.django_db

URL = "/api/v1/fire/"
NO_EVENT = "Give one of type, event."
TWO_EVENTS = "Give only one of type, event."
NO_USERS = "Give one of user, users, audience."
TWO_AUDIENCES = "Give only one of user, users, audience."
TWO_TIMES = "Give only one of delay, scheduled_at."
NOT_AN_ID = "Write an id as an integer."
FIELDS = "type, event, user, users, audience, context, occurred_at, delay, scheduled_at"
NULL = "This field may not be null."
NOT_TEXT = "Not a valid string."
NOT_A_USER = "Name a user by a string or an integer."
NOT_A_MOMENT = "Write a date and time as in 2026-01-31T09:00:00Z."
NO_OFFSET = "Add the offset from UTC, as in 2026-01-31T09:00:00Z."
NOT_A_DURATION = "Write a duration in days, hours, minutes and seconds, as in P1DT2H30M."
TOO_LONG = "The duration is longer than 292,000 years."
TOO_FAR = "The delay leads beyond the last date there is."
TOO_DEEP = "The body is nested deeper than 32 levels."
NOT_FINITE = "The number is not finite or is too large."
NULL_CHARACTER = "The text holds the character U+0000."
NOT_PRINTABLE = "Idempotency-Key: The key must be of printable ASCII characters."
HALF = "The text holds half of a surrogate pair."
AUDIENCES = ", ".join(audience_names())


def text(**fields: str) -> bytes:
    """An acceptable body in which these fields, given as JSON text, are changed or added."""
    body = {"type": '"app.TaskCompletedEvent"', "users": "[1]", "context": "{}"} | fields
    return ("{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in body.items()) + "}").encode()


def refused(status: int, code: str, detail: str, pointer: str | None = None) -> dict[str, Any]:
    """A problem with at most one error, which says the same as the whole."""
    return problem(status, code, detail, [] if pointer is None else [(pointer, code, detail)])


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


HOSTILE: dict[str, tuple[bytes, dict[str, Any]]] = {
    # JSON itself
    "nothing": (b"", invalid(("/type", "required", NO_EVENT), ("/user", "required", NO_USERS))),
    "blank": (
        b"  ",
        refused(400, "json_malformed", "The body is not JSON: Expecting value: line 1 column 3 (char 2)."),
    ),
    "half an object": (
        b'{"type": ',
        refused(400, "json_malformed", "The body is not JSON: Expecting value: line 1 column 10 (char 9)."),
    ),
    "a form": (
        b"type=app.TaskCompletedEvent",
        refused(400, "json_malformed", "The body is not JSON: Expecting value: line 1 column 1 (char 0)."),
    ),
    "bad UTF-8": (
        b'{"type": "\xff"}',
        refused(400, "json_malformed", "The body is not UTF-8: byte 10."),
    ),
    "UTF-16": (
        text().decode().encode("utf-16"),
        refused(400, "json_malformed", "The body is not UTF-8: byte 0."),
    ),
    "a list": (b"[]", refused(400, "json_not_an_object", "The body is not a JSON object.")),
    "a string": (b'"fire"', refused(400, "json_not_an_object", "The body is not a JSON object.")),
    "null": (b"null", refused(400, "json_not_an_object", "The body is not a JSON object.")),
    "a key twice": (
        text(context='{"a": {"b": 1, "c": 2, "b": 3}}'),
        refused(400, "json_key_repeated", 'An object in the body has the key "b" 2 times.'),
    ),
    "a field twice": (
        b'{"users": [1], "users": [2]}',
        refused(400, "json_key_repeated", 'An object in the body has the key "users" 2 times.'),
    ),
    "NaN": (text(context='{"a": [NaN]}'), refused(400, "json_number_invalid", NOT_FINITE, "/context/a/0")),
    "Infinity": (
        text(context='{"a": -Infinity}'),
        refused(400, "json_number_invalid", NOT_FINITE, "/context/a"),
    ),
    "1e999": (text(context='{"a": 1e999}'), refused(400, "json_number_invalid", NOT_FINITE, "/context/a")),
    "an endless integer": (
        text(context=f'{{"a": {"9" * 5000}}}'),
        refused(400, "json_number_invalid", "A number in the body has too many digits."),
    ),
    "U+0000": (
        text(context=r'{"a": ["b", "c\u0000"]}'),
        refused(400, "json_text_invalid", NULL_CHARACTER, "/context/a/1"),
    ),
    "U+0000 in a key": (
        text(context=r'{"a": {"\u0000": 1}}'),
        refused(400, "json_text_invalid", NULL_CHARACTER, "/context/a"),
    ),
    "U+0000 in the type": (
        text(type=r'"\u0000"'),
        refused(400, "json_text_invalid", NULL_CHARACTER, "/type"),
    ),
    "a raw control character": (
        b'{"type": "\x00"}',
        refused(
            400,
            "json_malformed",
            "The body is not JSON: Invalid control character at: line 1 column 11 (char 10).",
        ),
    ),
    "half a surrogate pair": (
        text(context=r'{"~/": "\ud83d"}'),
        refused(400, "json_text_invalid", HALF, "/context/~0~1"),
    ),
    "half a surrogate pair in a field's name": (
        rb'{"\udc00": 1}',
        refused(400, "json_text_invalid", HALF, ""),
    ),
    "33 levels": (
        text(context=f'{{"a": {nested(31)}}}'),
        refused(400, "json_too_deep", TOO_DEEP, "/context/a" + "/0" * 30),
    ),
    "100,000 levels": (
        text(context=f'{{"a": {nested(100_000)}}}'),
        refused(400, "json_too_deep", TOO_DEEP, ""),
    ),
    "too long": (
        text(context=json.dumps({"a": "x" * StrictJSONParser.max_length})),
        refused(413, "body_too_large", "The body is longer than 1048576 bytes."),
    ),
    # fields
    "an empty object": (b"{}", invalid(("/type", "required", NO_EVENT), ("/user", "required", NO_USERS))),
    "an unknown field": (
        text(**{"user/s": "[]"}),
        invalid(
            (
                "/user~1s",
                "unknown_field",
                f"There is no such field; there are {FIELDS}.",
            )
        ),
    ),
    "everything wrong": (
        text(type="1", users="{}", context="null", occurred_at="1", delay="1"),
        invalid(
            ("/type", "invalid", NOT_TEXT),
            ("/users", "not_a_list", 'Expected a list of items but got type "dict".'),
            ("/context", "null", NULL),
            ("/occurred_at", "invalid", NOT_A_MOMENT),
            ("/delay", "invalid", NOT_A_DURATION),
        ),
    ),
    "everything null": (
        text(type="null", users="null", context="null", occurred_at="null", delay="null"),
        invalid(*((f"/{name}", "null", NULL) for name in ("type", "users", "context", "occurred_at", "delay"))),
    ),
    # type
    "a blank type": (text(type='""'), invalid(("/type", "blank", "This field may not be blank."))),
    "an unknown type": (
        text(type='"app.NoSuchEvent"'),
        refused(400, "event_type_unknown", "No installed event type is called “app.NoSuchEvent”.", "/type"),
    ),
    "a type with a space": (
        text(type='"app.TaskCompletedEvent "'),
        refused(
            400,
            "event_type_unknown",
            "No installed event type is called “app.TaskCompletedEvent ”.",
            "/type",
        ),
    ),
    "a model that is no event": (
        text(type='"auth.User"'),
        refused(
            400,
            "event_type_unknown",
            "'auth.User' is not an event type: it must be a subclass of Event.",
            "/type",
        ),
    ),
    "the base of all events": (
        text(type='"triggers.Event"'),
        refused(
            400,
            "event_type_unknown",
            "Name a subclass of Event: Event itself never happens.",
            "/type",
        ),
    ),
    "a type and an event": (text(event="1"), invalid(("/event", "exclusive", TWO_EVENTS))),
    # event
    **{
        f"the event {value}": (
            b'{"user": 1, "event": %s}' % value.encode(),
            invalid(("/event", "null" if value == "null" else "invalid", NULL if value == "null" else NOT_AN_ID)),
        )
        for value in ('"1"', "1.5", "true", "-1", "[1]", "null", str(2**63))
    },
    "an unknown event": (
        b'{"user": 1, "event": 987654}',
        refused(400, "event_unknown", "There is no configured event with this id.", "/event"),
    ),
    # users
    "a user and users": (text(user="1"), invalid(("/users", "exclusive", TWO_AUDIENCES))),
    "users three times": (
        text(user="1", audience='"all"'),
        invalid(("/users", "exclusive", TWO_AUDIENCES), ("/audience", "exclusive", TWO_AUDIENCES)),
    ),
    **{
        f"the user {value}": (
            b'{"type": "app.TaskCompletedEvent", "user": %s}' % value.encode(),
            invalid(("/user", code, detail)),
        )
        for value, code, detail in (
            ('"anna"', "user_invalid", "'anna' cannot be the primary key of a user."),
            ('" 1"', "user_invalid", "' 1' cannot be the primary key of a user."),
            ("1.5", "invalid", NOT_A_USER),
            ("[1]", "invalid", NOT_A_USER),
            ("null", "null", NULL),
        )
    },
    "a user who does not exist": (
        b'{"type": "app.TaskCompletedEvent", "user": "987654"}',
        refused(400, "users_unknown", "The user does not exist.", "/user"),
    ),
    "an unknown audience": (
        b'{"type": "app.TaskCompletedEvent", "audience": "nobody"}',
        refused(400, "audience_unknown", f"There is no audience 'nobody'; there are {AUDIENCES}.", "/audience"),
    ),
    "an audience that is no text": (
        b'{"type": "app.TaskCompletedEvent", "audience": ["all"]}',
        invalid(("/audience", "invalid", NOT_TEXT)),
    ),
    "all without their permission": (
        b'{"type": "app.TaskCompletedEvent", "audience": "all"}',
        refused(
            403,
            "permission_denied",
            "To fire an event to all you need the permission triggers.fire_event_to_all.",
            "/audience",
        ),
    ),
    "no users": (text(users="[]"), invalid(("/users", "empty", "This list may not be empty."))),
    "too many users": (
        text(users=json.dumps(list(range(1001)))),
        invalid(("/users", "max_length", "Ensure this field has no more than 1000 elements.")),
    ),
    "users in one string": (
        text(users='"1"'),
        invalid(("/users", "not_a_list", 'Expected a list of items but got type "str".')),
    ),
    "users of wrong types": (
        text(users="[1, 1.5, true, null, [1]]"),
        invalid(
            ("/users/1", "invalid", NOT_A_USER),
            ("/users/2", "invalid", NOT_A_USER),
            ("/users/3", "null", NULL),
            ("/users/4", "invalid", NOT_A_USER),
        ),
    ),
    "malformed users": (
        text(users='["anna", "1", "", 170141183460469231731687303715884105728]'),
        invalid(
            ("/users/0", "user_invalid", "'anna' cannot be the primary key of a user."),
            ("/users/2", "user_invalid", "'' cannot be the primary key of a user."),
            (
                "/users/3",
                "user_invalid",
                "170141183460469231731687303715884105728 cannot be the primary key of a user.",
            ),
        ),
    ),
    "nobody who is known": (
        text(users='["987654"]'),
        refused(400, "users_unknown", "None of the users exists.", "/users"),
    ),
    # context
    "a context that is a list": (
        text(context="[]"),
        refused(400, "context_invalid", "The context must be an object, not list.", "/context"),
    ),
    "a context that is a string": (
        text(context='"a"'),
        refused(400, "context_invalid", "The context must be an object, not str.", "/context"),
    ),
    "a reserved key": (
        text(context='{"user": 1}'),
        refused(
            400,
            "context_key_reserved",
            "“user” is set by dj-triggers; use another name for it in the context.",
            "/context/user",
        ),
    ),
    # occurred_at
    **{
        f"occurred_at {value}": (
            text(occurred_at=json.dumps(value)),
            invalid(("/occurred_at", "offset_missing" if detail is NO_OFFSET else "invalid", detail)),
        )
        for value, detail in {
            "2026-01-31T09:00:00": NO_OFFSET,
            "2026-01-31": NO_OFFSET,
            "2026-02-30T09:00:00Z": NOT_A_MOMENT,
            "2026-01-31T09:00:00+25:00": NOT_A_MOMENT,
            "0001-01-01T00:00:00+12:00": NOT_A_MOMENT,
            "9999-12-31T23:59:59-12:00": NOT_A_MOMENT,
            "yesterday": NOT_A_MOMENT,
            "": NOT_A_MOMENT,
        }.items()
    },
    # delay
    **{
        f"delay {value}": (text(delay=json.dumps(value)), invalid(("/delay", "invalid", NOT_A_DURATION)))
        for value in ("", "60", "00:01:00", "1 day", "P1Y", 60)
    },
    **{
        f"delay {what}": (text(delay=json.dumps(value)), invalid(("/delay", "too_long", TOO_LONG)))
        for what, value in {"of many digits": f"P{'9' * 400}D", "beyond timedelta": "PT99999999999999H"}.items()
    },
    "a negative delay": (
        text(delay='"-PT1S"'),
        refused(400, "timing_invalid", "The delay must not be negative.", "/delay"),
    ),
    "an absurd delay": (text(delay='"P9999999D"'), refused(400, "timing_invalid", TOO_FAR, "/delay")),
    "a delay beyond the last date": (
        text(occurred_at='"9999-12-31T23:59:59Z"', delay='"PT1S"'),
        refused(400, "timing_invalid", TOO_FAR, "/delay"),
    ),
    # scheduled_at
    "a delay and a time": (
        text(delay='"PT1S"', scheduled_at='"2026-01-31T09:00:00Z"'),
        invalid(("/scheduled_at", "exclusive", TWO_TIMES)),
    ),
    "scheduled_at without offset": (
        text(scheduled_at='"2026-01-31T09:00:00"'),
        invalid(("/scheduled_at", "offset_missing", NO_OFFSET)),
    ),
    "scheduled_at that is a number": (
        text(scheduled_at="1769850000"),
        invalid(("/scheduled_at", "invalid", NOT_A_MOMENT)),
    ),
}


@pytest.mark.parametrize(("body", "expected"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_bad_body_is_refused_and_changes_nothing(
    client: APIClient, trigger: Trigger, body: bytes, expected: dict[str, Any]
) -> None:
    before = database()

    response = client.post(URL, body, content_type="application/json")

    assert_problem(response, expected)
    assert database() == before


def test_what_the_table_changes_is_acceptable_without_the_change(client: APIClient, anna: User) -> None:
    changes: list[dict[str, str]] = [
        {},
        {"context": f'{{"a": {nested(30)}}}'},
        {"occurred_at": '"9999-12-31T23:59:59.999999Z"', "delay": '"PT0S"'},
        {"occurred_at": '"0001-01-01T00:00:00Z"'},
        {"scheduled_at": '"9999-12-31T23:59:59.999999Z"'},
    ]
    for change in changes:
        body = text(**{"users": f"[{anna.pk}]"} | change)
        response = client.post(URL, body, content_type="application/json")
        assert response.status_code == 202, response.content
        assert client.get(response.headers["Location"]).json() == response.json()


def test_of_very_many_errors_the_first_hundred_are_told(client: APIClient) -> None:
    response = client.post(URL, text(users=json.dumps([None] * 500)), content_type="application/json")

    assert_problem(response, invalid(*((f"/users/{index}", "null", NULL) for index in range(100))))


@pytest.mark.parametrize(
    ("key", "detail"),
    [
        ("", "Idempotency-Key: The key must be a text of 1 to 255 characters."),
        ("k" * 256, "Idempotency-Key: The key must be a text of 1 to 255 characters."),
        ("a\0b", NOT_PRINTABLE),
        ("a\tb", NOT_PRINTABLE),
        ("a\x7fb", NOT_PRINTABLE),
        ("schlüssel", NOT_PRINTABLE),
    ],
    ids=["empty", "too long", "U+0000", "a tab", "delete", "an umlaut"],
)
def test_a_bad_idempotency_key_is_refused(client: APIClient, anna: User, key: str, detail: str) -> None:
    before = database()

    response = client.post(
        URL, text(users=f"[{anna.pk}]"), content_type="application/json", headers={"Idempotency-Key": key}
    )

    assert_problem(response, problem(400, "key_invalid", detail))
    assert database() == before


@pytest.mark.parametrize(
    ("credentials", "code", "detail"),
    [
        (None, "not_authenticated", "Authentication credentials were not provided."),
        ("Token 0123", "authentication_failed", "Invalid token."),
        ("Token", "authentication_failed", "Invalid token header. No credentials provided."),
        ("Basic YTpi", "not_authenticated", "Authentication credentials were not provided."),
    ],
)
@pytest.mark.parametrize("path", ["fire/", f"occurrences/{'0' * 8}-0000-7000-8000-{'0' * 12}/"])
def test_who_is_not_known_is_asked_for_credentials(path: str, credentials: str | None, code: str, detail: str) -> None:
    client = APIClient()
    client.credentials(**{"HTTP_AUTHORIZATION": credentials} if credentials else {})
    before = database()

    response = client.generic("POST" if path == "fire/" else "GET", f"/api/v1/{path}", text().decode())

    assert_problem(response, problem(401, code, detail))
    assert response.headers["WWW-Authenticate"] == "Token"
    assert database() == before


@pytest.mark.parametrize(
    ("authenticators", "challenge"),
    [
        ([SessionAuthentication], None),
        ([SessionAuthentication, BasicAuthentication], 'Basic realm="api"'),
    ],
)
def test_the_challenge_is_that_of_the_project_if_it_has_one(
    monkeypatch: pytest.MonkeyPatch, authenticators: list[Any], challenge: str | None
) -> None:
    monkeypatch.setattr(TriggersView, "authentication_classes", authenticators)

    response = APIClient().post(URL, text(), content_type="application/json")

    detail = "Authentication credentials were not provided."
    assert_problem(response, problem(401, "not_authenticated", detail))
    assert response.headers.get("WWW-Authenticate") == challenge


def test_authentication_and_throttles_are_the_projects() -> None:
    view = TriggersView()
    assert [type(one) for one in view.get_authenticators()] == APIView.authentication_classes
    assert [type(one) for one in view.get_throttles()] == APIView.throttle_classes


def test_settings_of_the_api_come_before_those_of_the_project(settings: Settings) -> None:
    settings.TRIGGERS_API_AUTHENTICATION_CLASSES = ["rest_framework.authentication.BasicAuthentication"]
    settings.TRIGGERS_API_THROTTLE_CLASSES = [UserRateThrottle]
    view = TriggersView()
    assert [type(one) for one in view.get_authenticators()] == [BasicAuthentication]
    assert [type(one) for one in view.get_throttles()] == [UserRateThrottle]


def test_firing_needs_a_permission(client_with: StartClient, anna: User) -> None:
    client = client_with("view_occurrence", "view_run")
    before = database()

    response = client.post(URL, text(users=f"[{anna.pk}]"), content_type="application/json")

    detail = "To fire events you need the permission triggers.fire_event."
    assert_problem(response, problem(403, "permission_denied", detail))
    assert database() == before


def test_a_session_needs_the_csrf_token(admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    before = database()

    response = client.post(URL, text(users=f"[{admin_user.pk}]"), content_type="application/json")

    assert_problem(response, problem(403, "permission_denied", "CSRF Failed: CSRF cookie not set."))
    assert database() == before


class FormReading(BaseAuthentication):
    """Looks for credentials in a form, as some do."""

    def authenticate(self, request: Any) -> None:
        assert "signature" not in request._request.POST


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code", "detail"),
    [
        ("--", "multipart/form-data", 400, "bad_request", "The request cannot be read."),
        (
            "a=" + "x" * 3_000_000,
            "application/x-www-form-urlencoded",
            413,
            "body_too_large",
            "The body is too long.",
        ),
    ],
    ids=["not a form", "too long"],
)
def test_a_body_that_authentication_cannot_read_is_refused(
    monkeypatch: pytest.MonkeyPatch, body: str, content_type: str, status: int, code: str, detail: str
) -> None:
    monkeypatch.setattr(TriggersView, "authentication_classes", [FormReading])

    response = APIClient().generic("POST", URL, body, content_type=content_type)

    assert_problem(response, problem(status, code, detail))


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "text/json"])
def test_a_body_that_is_not_json_is_refused(client: APIClient, content_type: str) -> None:
    response = client.generic("POST", URL, text().decode(), content_type=content_type)

    detail = f'Unsupported media type "{content_type}" in request.'
    assert_problem(response, problem(415, "unsupported_media_type", detail))


def test_a_body_without_its_length_is_refused(client: APIClient) -> None:
    response = client.post(URL, headers={"Transfer-Encoding": "chunked"}, CONTENT_LENGTH="")

    detail = "Send the body with its Content-Length, not in chunks."
    assert_problem(response, problem(411, "length_required", detail))


@pytest.mark.parametrize("accept", ["text/html", "application/xml", ";;"])
def test_what_is_not_json_cannot_be_had(client: APIClient, accept: str) -> None:
    response = client.post(URL, text(), content_type="application/json", headers={"Accept": accept})

    detail = "Could not satisfy the request Accept header."
    assert_problem(response, problem(406, "not_acceptable", detail))


def test_a_browser_gets_json_too(client: APIClient) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

    response = client.get(URL, headers={"Accept": accept})

    assert_problem(response, problem(405, "method_not_allowed", 'Method "GET" not allowed.'))


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FIRE"])
def test_the_wrong_method_is_refused(client: APIClient, method: str) -> None:
    response = client.generic(method, URL, text().decode(), content_type="application/json")

    assert response.headers["Allow"] == "POST"
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.status_code == 405
    if method != "HEAD":
        assert_problem(response, problem(405, "method_not_allowed", f'Method "{method}" not allowed.'))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nowhere",
        "fire/now/",
        "fire//",
        "fire/%0A",
        "occurrences/1/",
        "runs/%00/",
        "runs/0193b3f0-0000-7000-8000-00000000000G/",
        "runs/0193b3f0-0000-7000-8000-000000000000/steps",
        "runs/../fire/",
        "%FF",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_where_nothing_is_the_answer_is_a_problem(method: str, path: str) -> None:
    response = APIClient().generic(method, f"/api/v1/{path}", text().decode(), content_type="text/plain")

    assert_problem(response, problem(404, "not_found", "Not found."))


class OnceADay(UserRateThrottle):
    rate = "1/day"


def test_who_asks_too_often_is_told_when_to_ask_again(
    monkeypatch: pytest.MonkeyPatch, client: APIClient, anna: User
) -> None:
    monkeypatch.setattr(FireView, "throttle_classes", [OnceADay])
    body = text(users=f"[{anna.pk}]")
    client.post(URL, body, content_type="application/json")
    before = database()

    response = client.post(URL, body, content_type="application/json")

    wait = int(response.headers["Retry-After"])
    assert timedelta(hours=23) < timedelta(seconds=wait) <= timedelta(days=1)
    detail = f"Request was throttled. Expected available in {wait} seconds."
    assert_problem(response, problem(429, "throttled", detail))
    assert database() == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("atomic_requests", [False, True])
def test_without_a_database_the_answer_is_a_problem_and_the_log_says_why(
    client: APIClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, atomic_requests: bool
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", atomic_requests)
    client.raise_request_exception = False

    with DownDatabase():
        response = client.post(URL, text(), content_type="application/json")

    detail = "The database is not available. Try again later."
    assert_problem(response, problem(503, "database_unavailable", detail))
    (record,) = (record for record in caplog.records if record.name == "django.request")
    assert record.getMessage() == "Service Unavailable: /api/v1/fire/"
    assert record.exc_info


class Broken(BaseAuthentication):
    def authenticate(self, request: Any) -> None:
        raise RuntimeError("secret")


def test_a_failure_of_the_server_is_a_problem_that_keeps_the_reason_to_the_log(
    monkeypatch: pytest.MonkeyPatch, client: APIClient, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(TriggersView, "authentication_classes", [Broken])
    client.raise_request_exception = False

    response = client.post(URL, text(), content_type="application/json")

    assert_problem(response, problem(500, "server_error", "The server failed; its log says why."))
    (record,) = (record for record in caplog.records if record.name == "django.request")
    assert record.getMessage() == "Internal Server Error: /api/v1/fire/"
    assert record.exc_info

    client.raise_request_exception = True
    with pytest.raises(RuntimeError, match="secret"):  # as tests, and services that collect errors, expect
        client.post(URL, text(), content_type="application/json")


def test_the_slash_at_the_end_is_optional(client: APIClient, anna: User, settings: Settings) -> None:
    settings.APPEND_SLASH = True

    response = client.post(URL.rstrip("/"), text(users=f"[{anna.pk}]"), content_type="application/json")
    assert response.status_code == 202
    read = client.get(response.headers["Location"].rstrip("/"))
    assert (read.status_code, read.json()) == (200, response.json())


@pytest.mark.parametrize("method", ["TRACE", "PUT", "QUERY"])
def test_a_method_that_a_path_does_not_have_is_refused_as_such_whatever_the_query(
    client_with: StartClient, method: str
) -> None:
    response = client_with("view_run").generic(method, "/api/v1/runs/?limit=1&colour=red")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
