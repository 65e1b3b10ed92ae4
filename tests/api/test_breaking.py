"""What the comparison with the last release names, change by change, and what it lets pass."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from openapi.breaking import breaking_changes

Change = Callable[[dict[str, Any]], object]

RELEASED: dict[str, Any] = {
    "paths": {
        "/runs/": {
            "get": {
                "operationId": "runs_list",
                "parameters": [
                    {"in": "query", "name": "limit", "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
                    {"in": "query", "name": "status", "schema": {"$ref": "#/components/schemas/StatusEnum"}},
                ],
                "responses": {
                    "200": {
                        "headers": {"ETag": {"schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Run"}}},
                    },
                    "404": {"$ref": "#/components/responses/NotFound"},
                },
            },
            "post": {
                "operationId": "runs_create",
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RunRequest"}}}
                },
                "responses": {"202": {"description": "Accepted"}},
            },
        },
    },
    "components": {
        "schemas": {
            "StatusEnum": {"type": "string", "enum": ["pending", "failed"]},
            "Run": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "status": {"allOf": [{"$ref": "#/components/schemas/StatusEnum"}], "description": "How it goes."},
                    "steps": {"type": "array", "items": {"$ref": "#/components/schemas/Run"}},
                },
                "required": ["id", "status", "steps"],
            },
            "RunRequest": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "maxLength": 64},
                    "count": {"type": ["integer", "null"]},
                    "when": {"type": "string"},
                    "action": {"$ref": "#/components/schemas/Action"},
                },
                "required": ["name"],
            },
            "Action": {
                "oneOf": [{"$ref": "#/components/schemas/Mail"}, {"$ref": "#/components/schemas/Call"}],
                "discriminator": {"propertyName": "type"},
            },
            "Mail": {"type": "object", "properties": {"type": {"type": "string", "const": "app.Mail"}}},
            "Call": {"type": "object", "properties": {"type": {"type": "string", "const": "app.Call"}}},
        }
    },
}


def after(change: Change) -> list[str]:
    document = deepcopy(RELEASED)
    change(document)
    return breaking_changes(RELEASED, document)


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def operation(document: dict[str, Any], method: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"]["/runs/"][method]
    return found


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d["paths"].clear(), ["GET /runs/ is gone.", "POST /runs/ is gone."]),
        (lambda d: d["paths"]["/runs/"].pop("post"), ["POST /runs/ is gone."]),
        (
            lambda d: operation(d, "get").update(operationId="list_runs"),
            ["GET /runs/: the operation runs_list is called list_runs now."],
        ),
        (lambda d: schema(d, "Run")["properties"].pop("status"), ["Run: the field status is gone."]),
        (lambda d: schema(d, "Run")["required"].remove("id"), ["Run: the field id may be left out now."]),
        (
            lambda d: schema(d, "Run")["properties"]["id"].update(type="integer"),
            ["Run.id: the type was string and is integer."],
        ),
        (
            lambda d: schema(d, "Run")["properties"]["id"].update(type=["string", "null"]),
            ["Run.id: the type was string and is null or string."],
        ),
        (
            lambda d: schema(d, "Run")["properties"]["id"].pop("format"),
            ["Run.id: the format was uuid and is any."],
        ),
        (lambda d: schema(d, "StatusEnum")["enum"].remove("failed"), ["StatusEnum: the value 'failed' is gone."]),
        (
            lambda d: operation(d, "get")["responses"]["200"].pop("headers"),
            ["GET /runs/: the answer 200 has no header ETag any more."],
        ),
        (
            lambda d: operation(d, "post")["responses"].update({"200": operation(d, "post")["responses"].pop("202")}),
            ["POST /runs/: the answer 202 is gone."],
        ),
        (
            lambda d: operation(d, "get")["parameters"].pop(0),
            ["GET /runs/: the query parameter limit is gone."],
        ),
        (
            lambda d: operation(d, "get")["parameters"].append(
                {"in": "query", "name": "user", "required": True, "schema": {"type": "string"}}
            ),
            ["GET /runs/: the query parameter user is new and required."],
        ),
        (
            lambda d: operation(d, "get")["parameters"][0].update(required=True),
            ["GET /runs/: the query parameter limit is required now."],
        ),
        (
            lambda d: operation(d, "get")["parameters"][0]["schema"].update(maximum=50),
            ["GET /runs/: the query parameter limit: maximum was 100 and is 50."],
        ),
        (
            lambda d: operation(d, "get")["parameters"][0]["schema"].update(minimum=2),
            ["GET /runs/: the query parameter limit: minimum was 1 and is 2."],
        ),
        (
            lambda d: schema(d, "RunRequest")["properties"]["name"].update(minLength=1),
            ["RunRequest.name: minLength was none and is 1."],
        ),
        (
            lambda d: schema(d, "RunRequest")["properties"]["name"].update(pattern="^a"),
            ["RunRequest.name: the pattern was none and is ^a."],
        ),
        (
            lambda d: schema(d, "RunRequest")["properties"]["name"].update(enum=["a", "b"]),
            ["RunRequest.name: only certain values are known now."],
        ),
        (
            lambda d: schema(d, "RunRequest")["properties"]["count"].update(type="integer"),
            ["RunRequest.count: the type was integer or null and is integer."],
        ),
        (
            lambda d: schema(d, "RunRequest")["properties"]["when"].update(format="date"),
            ["RunRequest.when: the format was any and is date."],
        ),
        (lambda d: schema(d, "RunRequest")["required"].append("when"), ["RunRequest: the field when is required now."]),
        (
            lambda d: schema(d, "RunRequest").update(
                properties=schema(d, "RunRequest")["properties"] | {"user": {"type": "string"}},
                required=["name", "user"],
            ),
            ["RunRequest: the field user is required now."],
        ),
        (lambda d: schema(d, "RunRequest")["properties"].pop("count"), ["RunRequest: the field count is gone."]),
        (
            lambda d: schema(d, "RunRequest").update(additionalProperties=False),
            ["RunRequest: fields without a name here are refused now."],
        ),
        (
            lambda d: operation(d, "post")["requestBody"].update(required=True),
            ["POST /runs/: a body is required now."],
        ),
        (
            lambda d: operation(d, "post")["requestBody"].update(content={}),
            ["POST /runs/: the body is not in application/json any more."],
        ),
        (lambda d: schema(d, "Action")["oneOf"].pop(), ["Action: the variant app.Call is gone."]),
        (
            lambda d: schema(d, "Call")["properties"]["type"].update(const="app.Phone"),
            ["Action: the variant app.Call is gone."],
        ),
    ],
)
def test_a_change_that_breaks_clients_is_named(change: Change, named: list[str]) -> None:
    assert after(change) == named


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["paths"].update({"/new/": d["paths"]["/runs/"]}),
        lambda d: operation(d, "get")["responses"].pop("404"),
        lambda d: operation(d, "get")["responses"].update({"429": {"description": "Slower."}}),
        lambda d: operation(d, "get")["parameters"].append({"in": "query", "name": "user", "schema": {}}),
        lambda d: operation(d, "get")["parameters"][0]["schema"].update(maximum=200, minimum=0),
        lambda d: schema(d, "Run")["properties"].update(name={"type": "string"}),
        lambda d: schema(d, "Run")["properties"]["id"].update(description="Never changes."),
        lambda d: schema(d, "StatusEnum")["enum"].append("waiting"),
        lambda d: schema(d, "RunRequest")["properties"].update(user={"type": "string"}),
        lambda d: schema(d, "RunRequest")["properties"]["name"].update(maxLength=100),
        lambda d: schema(d, "RunRequest")["properties"]["when"].update(type=["string", "null"]),
        lambda d: schema(d, "RunRequest")["properties"]["count"].update(type=["number", "null"]),
        lambda d: schema(d, "RunRequest").pop("required"),
        lambda d: schema(d, "Action")["oneOf"].append({"$ref": "#/components/schemas/Run"}),
        lambda d: d["components"]["schemas"].update(Other={"type": "object"}),
        lambda d: None,
    ],
)
def test_what_old_clients_do_not_notice_passes(change: Change) -> None:
    assert after(change) == []
