"""Who a request comes from that carries a key, and which keys are refused."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.authentication import TokenAuthentication
from rest_framework.request import Request
from rest_framework.test import APIClient
from rest_framework.views import APIView

from tests.api.problems import assert_problem, problem
from tests.keys.conftest import MakeKey, client_of
from triggers_api.keys import secret
from triggers_api.keys.authentication import ApiKeyAuthentication
from triggers_api.keys.models import ApiKey
from triggers_api.views.base import TriggersView

pytestmark = pytest.mark.django_db

URL = "/api/v1/runs/"
MALFORMED = "This is not a whole API key: send “Authorization: Bearer” and the secret as it was shown."
UNKNOWN = "There is no such API key: compare it with the secret as it was shown, or make a new key."
REVOKED = "The API key was revoked: use the key that took its place, or make a new one."
EXPIRED = "The API key has expired: make a new one."
INACTIVE = "The user whom the API key acts as is not active: activate the user, or use a key of another."
MISSING = "Authentication credentials were not provided."


def get(authorization: str) -> Any:
    return APIClient().get(URL, HTTP_AUTHORIZATION=authorization)


def test_a_request_with_a_key_comes_from_its_user(make_key: MakeKey, shop: User) -> None:
    key = make_key("runs:read")
    request = Request(RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {key.secret}"))
    request.parser_context["view"] = TriggersView()

    assert ApiKeyAuthentication().authenticate(request) == (shop, key)
    assert get(f"bearer  {key.secret} ").status_code == 200


@pytest.mark.parametrize(
    ("authorization", "code", "detail"),
    [
        pytest.param("Bearer trg_", "key_malformed", MALFORMED, id="nothing behind trg_"),
        pytest.param("Bearer trg_AbCd1234", "key_malformed", MALFORMED, id="the prefix alone"),
        pytest.param(f"Bearer {secret.new()}x", "key_malformed", MALFORMED, id="a letter too many"),
        pytest.param(f"Bearer {secret.new()} {secret.new()}", "key_malformed", MALFORMED, id="two secrets"),
        pytest.param(f"Bearer {secret.new()[:-1]}é", "key_malformed", MALFORMED, id="another alphabet"),
        pytest.param(f"Bearer {secret.new()[:-1]}\x00", "key_malformed", MALFORMED, id="a zero byte"),
        pytest.param(f"Bearer {secret.new()}", "key_unknown", UNKNOWN, id="of no key"),
        pytest.param("Bearer", "not_authenticated", MISSING, id="no secret"),
        pytest.param("Bearer TRG_AbCd1234", "not_authenticated", MISSING, id="in capitals"),
        pytest.param("Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", "not_authenticated", MISSING, id="somebody else's token"),
        pytest.param(f"Token {secret.new()}", "not_authenticated", MISSING, id="another scheme"),
    ],
)
def test_what_is_no_key_is_refused(authorization: str, code: str, detail: str) -> None:
    response = get(authorization)

    assert_problem(response, problem(401, code, detail))
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("change", "code", "detail"),
    [
        ({"revoked_at": timezone.now()}, "key_revoked", REVOKED),
        ({"expires_at": timezone.now()}, "key_expired", EXPIRED),
        ({"expires_at": timezone.now(), "revoked_at": timezone.now()}, "key_revoked", REVOKED),
    ],
)
def test_a_key_that_has_ended_is_refused(make_key: MakeKey, change: dict[str, Any], code: str, detail: str) -> None:
    key = make_key("runs:read")
    assert client_of(key).get(URL).status_code == 200
    ApiKey.objects.update(**change)

    response = client_of(key).get(URL)

    assert_problem(response, problem(401, code, detail))
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_of_a_user_who_is_not_active_is_refused(make_key: MakeKey, shop: User) -> None:
    key = make_key("runs:read")
    User.objects.update(is_active=False)

    response = client_of(key).get(URL)

    assert_problem(response, problem(401, "user_inactive", INACTIVE))
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_key_with_time_left_is_good(make_key: MakeKey) -> None:
    key = make_key("runs:read", expires_at=timezone.now() + timedelta(minutes=1))
    assert client_of(key).get(URL).status_code == 200


@pytest.mark.parametrize("change", [{}, {"revoked_at": timezone.now()}, {"expires_at": timezone.now()}])
def test_a_wrong_secret_behind_a_good_prefix_is_as_unknown_as_any_other(
    make_key: MakeKey, change: dict[str, Any], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key = make_key("runs:read", **change)
    answers = []
    for wrong in (f"{key.prefix}_{'x' * 43}", f"trg_AbCd1234_{'x' * 43}"):
        with django_assert_num_queries(1):
            answers.append(get(f"Bearer {wrong}"))

    for response in answers:
        assert_problem(response, problem(401, "key_unknown", UNKNOWN))
    assert ApiKey.objects.get().last_used_at is None


def test_every_scheme_that_is_taken_is_named(settings: Settings) -> None:
    settings.TRIGGERS_API_AUTHENTICATION_CLASSES = [TokenAuthentication, ApiKeyAuthentication]
    assert get("").headers["WWW-Authenticate"] == "Token, Bearer"


def test_a_key_opens_no_other_view_of_the_project(make_key: MakeKey) -> None:
    request = RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {make_key('runs:read').secret}")

    class OtherView(APIView):
        authentication_classes = [ApiKeyAuthentication]

        def get(self, request: Request) -> None:
            raise AssertionError(f"It was opened for {request.user}.")

        def check_permissions(self, request: Request) -> None:
            if not request.successful_authenticator:
                self.permission_denied(request)

    assert OtherView.as_view()(request).status_code == 401
    assert ApiKeyAuthentication().authenticate(Request(request)) is None


def test_a_key_costs_one_query_and_those_of_permissions(
    make_key: MakeKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(make_key("runs:read"))
    client.get(URL)  # notes the use
    with django_assert_num_queries(4) as queries:  # the key and its user, permissions of user and groups, runs
        assert client.get(URL).status_code == 200
    assert sum("triggers_keys_apikey" in query["sql"] for query in queries) == 1


def test_the_last_use_is_noted_once_a_minute(make_key: MakeKey) -> None:
    key = make_key("runs:read")
    before = timezone.now()
    assert client_of(key).get(URL).status_code == 200
    key.refresh_from_db()
    first = key.last_used_at
    assert first is not None
    assert before <= first <= timezone.now()

    client_of(key).get(URL)
    key.refresh_from_db()
    assert key.last_used_at == first

    ApiKey.objects.update(last_used_at=first - timedelta(minutes=1))
    client_of(key).get(URL)
    key.refresh_from_db()
    assert key.last_used_at > first


def test_a_key_that_was_noted_meanwhile_is_not_noted_again(make_key: MakeKey) -> None:
    key = make_key("runs:read")
    now = timezone.now()
    ApiKey.objects.update(last_used_at=now)
    key.note_use(now + timedelta(seconds=1))  # it was read before that
    key.refresh_from_db()
    assert key.last_used_at == now


def test_a_request_is_served_though_its_use_cannot_be_noted(
    make_key: MakeKey, caplog: pytest.LogCaptureFixture
) -> None:
    key = make_key("runs:read")

    def refuse_updates(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE"):
            sql = "UPDATE nowhere SET nothing = 0"  # the database itself says no
            parameters = ()
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(refuse_updates), caplog.at_level(logging.WARNING):
        assert client_of(key).get(URL).status_code == 200

    (record,) = [record for record in caplog.records if record.name == "triggers_api.keys.models"]
    assert record.getMessage().startswith(f"The use of the key {key.prefix} was not noted: ")
    key.refresh_from_db()
    assert key.last_used_at is None
