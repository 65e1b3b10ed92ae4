"""Whether an answer is one that the schema describes."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.urls import Resolver404, resolve
from jsonschema import Draft202012Validator, FormatChecker

from triggers_api.schema.document import document

MOUNT = "/api/v1/"
#: Answers to what no client makes of the schema.
UNDESCRIBED = (405, 500)


@cache
def whole() -> dict[str, Any]:
    """The document of the project that the tests run in."""
    return document(MOUNT)


def forget() -> None:
    """The settings that the document follows are others from here on."""
    whole.cache_clear()
    _validator.cache_clear()


def operation_of(path: str, method: str) -> Mapping[str, Any] | None:
    try:
        route = resolve(path).route
    except Resolver404:
        return None
    item = whole()["paths"].get("/" + _template(route.removeprefix(MOUNT[1:])).rstrip("/") + "/", {})
    found: Mapping[str, Any] | None = item.get(method.lower())
    return found


def assert_described(response: Any) -> None:
    """Its status is one that the operation may have, its headers are there, and its body is as the schema says."""
    request = response.wsgi_request
    operation = operation_of(request.path, request.method)
    if operation is None or response.status_code in UNDESCRIBED:
        return
    answer = operation["responses"].get(str(response.status_code))
    assert answer, f"{operation['operationId']} may not answer {response.status_code}: {response.content!r}"
    answer = _followed(answer)
    for name, header in answer.get("headers", {}).items():
        assert name in response.headers or not header.get("required"), f"{operation['operationId']} lacks {name}"
    content = answer.get("content")
    if content is None:
        assert response.content == b"", operation["operationId"]
        return
    schema = content[response.headers["Content-Type"]]["schema"]
    validate(schema, response.json())


def validate(schema: Mapping[str, Any], value: Any) -> None:
    """Raises ValidationError where the value is not as the schema, which may refer to components, says."""
    _validator(json.dumps(schema)).validate(value)


@cache
def _validator(schema: str) -> Draft202012Validator:
    """One for each schema: it takes a while to look through all components."""
    in_document = {**json.loads(schema), "components": whole()["components"]}
    return Draft202012Validator(in_document, format_checker=FormatChecker())


def _followed(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in answer:
        return answer
    found: Mapping[str, Any] = whole()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return found


def _template(route: str) -> str:
    """The route as paths in the schema are written."""
    for name in ("id", "type", "key"):
        for converter in ("int", "str", "uuid"):
            route = route.replace(f"<{converter}:{name}>", f"{{{name}}}")
    return route
