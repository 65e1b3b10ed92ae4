"""Tests of the Django admin, through Django's test client."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", "ada@example.com")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", "bob@example.com")


@pytest.fixture
def client_with(db: None) -> Callable[..., Client]:
    """Returns the client of a member of staff who has these permissions on this app's models, and no other."""

    def client_with(*codenames: str) -> Client:
        person = User.objects.create_user("staff", is_staff=True)
        permissions = Permission.objects.filter(content_type__app_label="triggers", codename__in=codenames)
        assert permissions.count() == len(codenames)
        person.user_permissions.set(permissions)
        client = Client()
        client.force_login(person)
        return client

    return client_with
