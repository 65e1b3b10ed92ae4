"""docs/keys.md has the scopes and refusals that there are, and its commands do what it says."""

import re
import shlex
from io import StringIO
from string import Template
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from rest_framework.test import APIClient

from tests.docs.blocks import ROOT, blocks
from triggers_api.keys import authentication
from triggers_api.keys.authentication import Refusal
from triggers_api.keys.models import ApiKey
from triggers_api.keys.scopes import SCOPES

PAGE = ROOT.joinpath("docs/keys.md").read_text()


def test_the_scopes_are_those_that_there_are() -> None:
    listed = {
        name: (about, sorted(re.findall(r"`([\w.]+)`", permissions)))
        for name, about, permissions in re.findall(
            r"^\| `([\w:]+)` \| (.+) \| (`(?:triggers|auth)\..+) \|$", PAGE, re.MULTILINE
        )
    }
    assert listed == {name: (str(scope.about), sorted(scope.permissions)) for name, scope in SCOPES.items()}


def test_the_refusals_are_those_that_there_are() -> None:
    refusals = [value for value in vars(authentication).values() if isinstance(value, Refusal)]
    listed = re.findall(r"^\| `(\w+)` \| (.+\.) \|$", PAGE, re.MULTILINE)
    assert listed == [(refusal.code, str(refusal.detail)) for refusal in refusals]


def test_the_settings_are_those_that_the_app_needs() -> None:
    (block,) = blocks("docs/keys.md", "python")
    names: dict[str, Any] = {"INSTALLED_APPS": []}
    exec(block.body, names)
    ours = authentication.ApiKeyAuthentication
    assert names["INSTALLED_APPS"] == ["triggers_api.keys"]
    assert names["REST_FRAMEWORK"]["DEFAULT_AUTHENTICATION_CLASSES"][0] == f"{ours.__module__}.{ours.__name__}"


class Shell:
    """Does what a shell does with the lines of the page, here and now."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}

    def run(self, line: str) -> str:
        if assignment := re.fullmatch(r"(\w+)=\$\((.*) \| tail -n 1\)", line):
            self.variables[assignment[1]] = self.run(assignment[2]).splitlines()[-1]
            return ""
        command, *words = shlex.split(Template(line).safe_substitute(self.variables))
        return {"python": self._python, "curl": self._curl}[command](*words)

    def _python(self, program: str, *arguments: str) -> str:
        assert program == "manage.py"
        printed = StringIO()
        call_command(*arguments, stdout=printed)
        return printed.getvalue()

    def _curl(self, url: str, *options: str) -> str:
        given = list(zip(options[::2], options[1::2], strict=True))
        headers = dict(value.split(": ", 1) for option, value in given if option == "-H")
        path = url.removeprefix("http://localhost:8000")
        bodies = [value for option, value in given if option == "-d"]
        client = APIClient(headers=headers)
        if bodies:
            return str(client.post(path, bodies[0], content_type=headers["Content-Type"]).status_code)
        return str(client.get(path).status_code)


@pytest.mark.django_db
def test_the_commands_do_what_the_page_says(shop: User) -> None:
    User.objects.create(pk=42, username="ada")
    create, take, use, change = (
        block.text.replace("\\\n", "").splitlines() for block in blocks("docs/keys.md", "console")
    )
    shell = Shell()

    (made,) = map(shell.run, create)
    first = ApiKey.objects.get()
    assert ApiKey.find(made.splitlines()[-1]) == first
    assert (first.event_types, first.expires_at is None) == (["app.TaskCompletedEvent"], False)

    assert list(map(shell.run, take)) == [""]
    second = ApiKey.objects.exclude(pk=first.pk).get()
    assert list(map(shell.run, use)) == ["202", "200"]

    show, revoke = change
    assert second.prefix in shell.run(show)
    assert "is revoked" in shell.run(revoke.replace("trg_AbCd1234", second.prefix))
    assert list(map(shell.run, use)) == ["401", "401"]
