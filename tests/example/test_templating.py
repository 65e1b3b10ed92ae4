from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from tests.app.templating import plain, render, validate_template


def test_text_is_rendered_with_values_as_they_are() -> None:
    values = {"name": "Anna & <b>", "tasks": ["one", "two"], "day": date(2026, 1, 31)}
    template = "{{ name }}:{% for task in tasks %} {{ task|upper }}{% endfor %} {{ day|date:'j.n.' }}"
    assert render(template, values) == "Anna & <b>: ONE TWO 31.1."


@pytest.mark.parametrize(
    "source",
    [
        "{{ user }}",
        "{{ user.password }}",
        "{{ user.delete }}",
        "{{ user.user_permissions.all }}",
        "{{ user.objects.all }}",
        "{{ users.0.password }}",
        "{{ nested.user.password }}",
        "{{ function }}",
        "{{ thing.secret }}",
        "{{ settings.SECRET_KEY }}",
        "{{ request }}",
    ],
)
def test_what_is_not_a_plain_value_yields_nothing(source: str) -> None:
    user = User(username="anna", password="secret")
    values = {
        "user": user,
        "users": [user],
        "nested": {"user": user},
        "function": lambda: "secret",
        "thing": SimpleNamespace(secret="secret"),
    }
    assert render(source, values).replace("None", "") == ""


@pytest.mark.parametrize(
    "source",
    [
        "{% include 'admin/base.html' %}",
        "{% include path %}",
        "{% extends 'admin/base.html' %}",
        "{% load static %}",
        "{% load log %}{% get_admin_log 10 as log %}",
        "{% url 'admin:index' %}",
        "{% debug %}",
        "{% csrf_token %}",
        "{% lorem 1000000 p %}",
        "{{ text|ljust:'1000000000' }}",
        "{{ text|stringformat:'1000000000s' }}",
        "{% if %}",
        "{{ user.__class__ }}",
    ],
)
def test_templates_that_reach_outside_or_are_none_are_refused(source: str) -> None:
    with pytest.raises(ValidationError, match="This is not a template"):
        validate_template(source)


def test_plain_values_keep_their_types_and_are_copies() -> None:
    values = {
        "text": "a",
        "number": 1,
        "share": 0.5,
        "yes": True,
        "nothing": None,
        "price": Decimal("1.50"),
        "moment": datetime(2026, 1, 31),  # noqa: DTZ001
        "id": UUID(int=1),
        "list": [1, (2, 3)],
        "mapping": {"a": {"b": "c"}},
    }
    copy = plain(values)
    assert copy == values | {"list": [1, [2, 3]]}
    assert copy["mapping"] is not values["mapping"]
    assert plain({1: "not a name", "text": object()}) == {"text": None}
