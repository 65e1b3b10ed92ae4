"""How the app stands in a project."""

import subprocess
import sys
from typing import Any

from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from pytest_django import Settings
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.serializers import Serializer

from triggers_api.keys.checks import check_authentication
from triggers_api.views.base import TriggersView


def test_a_project_that_takes_keys_has_nothing_to_mend() -> None:
    assert check_authentication(None) == []


def test_a_project_that_takes_no_keys_is_told_how(settings: Settings) -> None:
    settings.TRIGGERS_API_AUTHENTICATION_CLASSES = ["rest_framework.authentication.SessionAuthentication"]
    assert [(message.id, message.msg, message.hint) for message in check_authentication(None)] == [
        (
            "triggers_keys.W001",
            "triggers_api.keys is installed, but the API takes no keys.",
            'Add "triggers_api.keys.authentication.ApiKeyAuthentication" to '
            'REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"].',
        )
    ]


def test_the_schema_has_keys_as_a_bearer_scheme() -> None:
    class NothingSerializer(Serializer[Any]):
        pass

    class View(TriggersView):
        permission_classes = [IsAuthenticated]
        schema = AutoSchema()
        serializer_class = NothingSerializer

        def get(self, request: Request) -> None: ...

    document = SchemaGenerator(patterns=[path("view/", View.as_view())]).get_schema(request=None, public=True)

    assert document["paths"]["/view/"]["get"]["security"] == [{"bearerAuth": []}]
    assert document["components"]["securitySchemes"] == {
        "bearerAuth": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "trg_…",
            "description": (
                "An API key. It acts as a user, and gives what both its scopes and the permissions of the user allow."
            ),
        }
    }


def test_without_the_app_its_modules_are_not_loaded() -> None:
    code = """
import os, sys, django
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.app.settings"
django.setup()
from django.urls import resolve
resolve("/api/v1/fire/")
print([name for name in sys.modules if name.startswith("triggers_api.keys")])
"""
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_the_authentication_class_can_be_loaded_before_everything_else() -> None:
    code = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.app.settings"
import triggers_api.keys.authentication
import django
django.setup()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
