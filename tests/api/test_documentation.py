"""docs/api.md names the endpoints and the errors that there are, and no others."""

import re
from pathlib import Path
from typing import Any

from rest_framework import exceptions as rest_framework

import triggers_api
from triggers import exceptions
from triggers_api import calls, conf
from triggers_api.urls import urlpatterns

PAGE = Path(__file__).parents[2].joinpath("docs/api.md").read_text()
#: Errors that REST framework raises for us.
RAISED_BY_REST_FRAMEWORK: list[type[rest_framework.APIException]] = [
    rest_framework.NotAuthenticated,
    rest_framework.AuthenticationFailed,
    rest_framework.PermissionDenied,
    rest_framework.NotFound,
    rest_framework.MethodNotAllowed,
    rest_framework.NotAcceptable,
    rest_framework.UnsupportedMediaType,
    rest_framework.Throttled,
]


def test_the_endpoints_are_those_that_there_are() -> None:
    endpoints = set()
    for pattern in urlpatterns:
        route, view = str(pattern.pattern), pattern.callback
        if route.endswith("/"):
            methods = [name for name in ("get", "post", "put", "patch", "delete") if hasattr(_class(view), name)]
            assert methods, route
            endpoints |= {(name.upper(), re.sub(r"<\w+:(\w+)>", r"{\1}", route)) for name in methods}

    assert set(re.findall(r"^\| ([A-Z]+) `([^`]+)`", PAGE, re.MULTILINE)) == endpoints


def _class(view: Any) -> Any:
    return view.view_class


def test_the_errors_are_those_that_there_are() -> None:
    source = "".join(path.read_text() for path in Path(*triggers_api.__path__).rglob("*.py"))
    expected = re.findall(r'Problem\(\s*(\d+), "(\w+)"', source)
    expected += [(str(error.status_code), str(error.default_code)) for error in RAISED_BY_REST_FRAMEWORK]
    # What fire() refuses; users who cannot be, and too many or none, are errors of their fields already.
    fields = {"user_invalid", "users_too_many", "audience_invalid"}
    refused = {kind.code for kind in _subclasses(exceptions.FiringRefused)} - fields
    expected += [("422" if code == "key_conflict" else "400", code) for code in refused]
    expected += [("409", code) for code in calls.REFUSED]
    expected += [("400", "body_invalid"), ("400", "query_invalid")]
    expected += [("409", kind.code) for kind in (exceptions.TriggerIncomplete, exceptions.ComponentMissing)]

    listed = re.findall(r"^\| (\d{3}) \| `(\w+)`", PAGE, re.MULTILINE)

    assert sorted(listed) == sorted(set(expected))


def _subclasses(kind: type[exceptions.FiringRefused]) -> set[type[exceptions.FiringRefused]]:
    return {found for child in kind.__subclasses__() for found in {child, *_subclasses(child)}}


def test_every_setting_of_the_api_is_told() -> None:
    assert set(re.findall(r"^\| `(TRIGGERS_API_\w+)`", PAGE, re.MULTILINE)) == set(conf.DEFAULTS)
