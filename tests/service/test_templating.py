from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from triggers_api.service.demo.templating import render, validate


def test_placeholders_are_filled_with_plain_values_as_they_are() -> None:
    values = {"order": "<1001>", "items": ["tea", "cake"], "user": {"first_name": "Ada"}}
    source = "{{ user.first_name }}: {{ order }}{% for item in items %}, {{ item|upper }}{% endfor %}"
    assert render(source, values) == "Ada: <1001>, TEA, CAKE"


@pytest.mark.parametrize("source", ["{{ user }}", "{{ user.password }}", "{{ thing.secret }}", "{{ call }}"])
def test_what_is_not_plain_leaves_its_place_empty(source: str) -> None:
    values = {
        "user": User(username="ada", password="secret"),
        "thing": SimpleNamespace(secret="secret"),
        "call": lambda: "secret",
    }
    assert render(source, values) == ""


@pytest.mark.parametrize(
    "source",
    [
        "{% include 'admin/base.html' %}",
        "{% extends 'admin/base.html' %}",
        "{% load static %}",
        "{% debug %}",
        "{% lorem 1000000 p %}",
        "{{ order|ljust:'1000000000' }}",
        "{% if %}",
    ],
)
def test_what_loads_or_multiplies_something_is_refused_when_it_is_saved(source: str) -> None:
    with pytest.raises(ValidationError):
        validate(source)
