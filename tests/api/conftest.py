"""Clients of the HTTP API, each authenticated as somebody with certain permissions."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from tests.api.described import assert_described
from tests.app.models import SendEmailAction, TaskCompletedEvent
from triggers.models import Trigger

StartClient = Callable[..., APIClient]


@pytest.fixture(autouse=True)
def schema_describes_every_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test is about: what it is answered is what the schema says."""
    plain = APIClient.request

    def request(client: APIClient, **environment: Any) -> Any:
        response = plain(client, **environment)
        assert_described(response)
        return response

    monkeypatch.setattr(APIClient, "request", request)


@pytest.fixture
def client_with(db: None) -> StartClient:
    """Makes clients with the token of a new user who has these permissions of the app triggers."""

    def client_with(*codenames: str, username: str = "caller") -> APIClient:
        user = User.objects.create_user(username)
        permissions = Permission.objects.filter(content_type__app_label="triggers", codename__in=codenames)
        assert len(permissions) == len(codenames)
        user.user_permissions.set(permissions)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user).key}")
        return client

    return client_with


@pytest.fixture
def client(client_with: StartClient) -> APIClient:
    """May fire events, and so read what it fired."""
    return client_with("fire_event")


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_user("anna", email="anna@example.com", first_name="Anna")


@pytest.fixture
def trigger(db: None) -> Trigger:
    """An e-mail when a task is completed."""
    trigger = Trigger.objects.create(name="Congratulate", is_enabled=True)
    TaskCompletedEvent.objects.create(trigger=trigger)
    SendEmailAction.objects.create(trigger=trigger, subject="Well done", message="Hello {{ user.first_name }}")
    return trigger
