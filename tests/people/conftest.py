"""The API as the service has it: users are people, named by their keys."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from pytest_django import Settings
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger
from tests.api import described
from tests.probe.models import RecordEffectAction
from triggers.models import Trigger

StartClient = Callable[..., APIClient]


@pytest.fixture(autouse=True)
def _as_in_the_service(settings: Settings) -> Iterator[None]:
    described.forget()
    settings.TRIGGERS_API_USER_FIELD = "person__key"
    settings.TRIGGERS_API_CREATE_USERS = "triggers_api.service.people.registering.register"
    settings.TRIGGERS_USER_TIME_ZONE = "person.time_zone"
    yield
    described.forget()


@pytest.fixture
def client_with(db: None) -> StartClient:
    """Makes clients of a new user who has these permissions."""

    def client_with(*codenames: str) -> Any:
        user = User.objects.create_user("caller")
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user).key}")
        return client

    return client_with


@pytest.fixture
def crm(client_with: StartClient) -> APIClient:
    """A system that may do with people whatever there is to do, and fire events."""
    return client_with("view_user", "add_user", "change_user", "delete_user", "fire_event", "view_run", "explain_event")


@pytest.fixture
def trigger(db: None) -> Trigger:
    return a_trigger(RecordEffectAction())
