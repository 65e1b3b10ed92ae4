"""The API of the example project as it is with keys, and their owners."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.api.conftest import anna, trigger
from triggers_api.keys import secret
from triggers_api.keys.models import ApiKey

__all__ = ["anna", "trigger"]

MakeKey = Callable[..., ApiKey]


@pytest.fixture(autouse=True)
def keys_are_taken(settings: Settings) -> None:
    settings.TRIGGERS_API_AUTHENTICATION_CLASSES = ["triggers_api.keys.authentication.ApiKeyAuthentication"]


@pytest.fixture
def shop(db: None) -> User:
    """May do all there is to do."""
    shop = User.objects.create_user("shop")
    shop.user_permissions.set(Permission.objects.filter(content_type__app_label="triggers"))
    return shop


@pytest.fixture
def make_key(shop: User) -> MakeKey:
    def make_key(*scopes: str, **fields: Any) -> ApiKey:
        key = ApiKey(**{"name": "Shop", "user": shop, "scopes": list(scopes)} | fields)
        key.set_secret(secret.new())
        key.save()
        return key

    return make_key


def client_of(key: ApiKey) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key.secret}")
    return client
