"""Each system check of the API is seen to find what it is for, and to find nothing where there is nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import models
from polymorphic.utils import concrete_descendants
from pytest_django import Settings
from rest_framework import serializers

from triggers.models import Action, Condition, Trigger
from triggers_api.checks import check_fields, check_settings
from triggers_api.serializers import ComponentSerializer, register
from triggers_api.serializers.polymorphic import PolymorphicSerializer


def found(check: Any) -> list[tuple[str, str, str]]:
    return [(message.id, message.msg, message.hint) for message in check(None)]


def test_the_example_project_has_nothing_to_mend() -> None:
    assert [message for message in run_checks() if str(message.id).startswith("triggers_api.")] == []


@pytest.mark.parametrize(
    ("name", "value", "id_", "message", "hint"),
    [
        ("AUTHENTICATION_CLASSES", "a.B", "E002", "cannot be 'a.B'", "Write a list of classes or of their dotted"),
        ("AUTHENTICATION_CLASSES", ["a.B"], "E003", "No module named 'a'", "Correct the path."),
        ("AUTHENTICATION_CLASSES", ["os.path.join"], "E003", "'os.path.join' is no class", "Name a class."),
        ("AUTHENTICATION_CLASSES", [7], "E003", "7 is no class", "Name a class."),
        ("THROTTLE_CLASSES", 7, "E002", "cannot be 7", "Write a list of classes or of their dotted"),
        ("THROTTLE_CLASSES", ["rest_framework.throttling.X"], "E003", 'does not define a "X"', "Correct the path."),
        ("COMPONENT_TYPES", "app.SendEmailAction", "E002", "cannot be 'app.SendEmailAction'", "Write a list of types"),
        ("COMPONENT_TYPES", ["app.SendEmail"], "E004", "'app.SendEmail' is inst", "Did you mean app.SendEmailAction?"),
        ("COMPONENT_TYPES", ["gone.Thing"], "E004", "'gone.Thing' is installed", "Install the app that defines it"),
        ("COMPONENT_TYPES", [7], "E004", "of the type 7 is installed", "Install the app that defines it"),
        ("PAGE_SIZE", "50", "E002", "cannot be '50'", "Write a number from 1 to 100"),
        ("PAGE_SIZE", 0, "E002", "cannot be 0", "Write a number from 1 to 100"),
        ("PAGE_SIZE", 101, "E002", "cannot be 101", "Write a number from 1 to 100"),
        ("PAGE_SIZE", True, "E002", "cannot be True", "Write a number from 1 to 100"),
        ("USER_FIELD", None, "E002", "cannot be None", "Write the name of a field"),
    ],
)
def test_a_value_that_a_setting_cannot_have(
    settings: Settings, name: str, value: Any, id_: str, message: str, hint: str
) -> None:
    setattr(settings, f"TRIGGERS_API_{name}", value)

    ((found_id, found_message, found_hint),) = found(check_settings)

    assert found_id == f"triggers_api.{id_}"
    assert found_message.startswith(f"TRIGGERS_API_{name}")
    assert message in found_message
    assert hint in found_hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTHENTICATION_CLASSES", ["rest_framework.authentication.SessionAuthentication"]),
        ("THROTTLE_CLASSES", ()),
        ("COMPONENT_TYPES", {"app.SendEmailAction", "triggers.ActionCountCondition"}),
        ("PAGE_SIZE", 100),
        ("USER_FIELD", "username"),
    ],
)
def test_a_value_that_a_setting_can_have(settings: Settings, name: str, value: Any) -> None:
    setattr(settings, f"TRIGGERS_API_{name}", value)

    assert found(check_settings) == []


@pytest.fixture
def new_models() -> Iterator[None]:
    """Models that a test makes up are gone after it."""
    concrete_descendants.cache_clear()
    before = dict(apps.all_models["probe"])
    registered = dict(PolymorphicSerializer.registered)
    yield
    for name in set(apps.all_models["probe"]) - set(before):
        del apps.all_models["probe"][name]
    PolymorphicSerializer.registered.clear()
    PolymorphicSerializer.registered.update(registered)
    apps.clear_cache()
    concrete_descendants.cache_clear()


def model(base: Any, name: str) -> Any:
    """A class with a text field of this name."""
    meta = type("Meta", (), {"app_label": "probe"})
    attributes = {"__module__": __name__, "Meta": meta, name: models.CharField(max_length=5)}
    return type(f"{base.__name__}With{name.capitalize()}", (base,), attributes)


@pytest.mark.parametrize(
    ("base", "name"),
    [(Action, "type"), (Condition, "type"), (Condition, "position"), (Trigger, "type"), (Trigger, "missing")],
)
def test_a_field_whose_name_the_api_keeps(new_models: None, base: Any, name: str) -> None:
    made = model(base, name)

    assert found(check_fields) == [
        (
            "triggers_api.E005",
            f"The API keeps the name of the field {made._meta.label}.{name} for itself, and does not tell the field.",
            "Rename the field, or register a serializer for the class that tells it under another name: "
            f"other = …Field(source='{name}').",
        )
    ]


def test_a_field_that_is_told_under_another_name(new_models: None) -> None:
    made = model(Condition, "position")

    @register(made)
    class Serializer(ComponentSerializer):
        place = serializers.CharField(source="position", max_length=5)

        class Meta:
            model = made

    assert found(check_fields) == []
    assert "place" in Serializer().fields


def test_a_field_that_is_left_out_on_purpose(new_models: None) -> None:
    made = model(Condition, "type")

    @register(made)
    class Serializer(ComponentSerializer):
        class Meta:
            model = made
            exclude = ("polymorphic_ctype", "trigger")

    assert found(check_fields) == []
