"""The OpenAPI document: complete, without a warning, the same wherever it is made, and served."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.test import override_settings
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.validation import validate_schema
from pytest_django import Settings
from rest_framework.test import APIClient

from openapi.export import PROJECTS, exported
from tests.api.described import MOUNT, validate, whole
from tests.api.problems import assert_problem, problem
from triggers.models import Action, Condition, Event, Trigger
from triggers.registry import component_types, label
from triggers_api.schema.document import document, warnings
from triggers_api.schema.tuning import tuned
from triggers_api.urls import urlpatterns

OPERATIONS = {
    "activities_list",
    "activities_reset",
    "component_types_list",
    "component_types_retrieve",
    "configuration_apply",
    "configuration_retrieve",
    "event_types_create",
    "event_types_delete",
    "event_types_list",
    "event_types_partial_update",
    "event_types_retrieve",
    "event_types_update",
    "explain",
    "fire",
    "fire_batch",
    "health_live",
    "health_ready",
    "people_delete",
    "people_list",
    "people_put",
    "people_retrieve",
    "occurrences_cancel",
    "occurrences_list",
    "occurrences_retrieve",
    "receive_cloudevent",
    "runs_cancel",
    "runs_list",
    "runs_replay",
    "runs_retrieve",
    "runs_retry",
    "triggers_create",
    "triggers_delete",
    "triggers_disable",
    "triggers_enable",
    "triggers_list",
    "triggers_partial_update",
    "triggers_retrieve",
    "triggers_update",
}
#: For people, and for whoever reads the document.
NOT_IN_IT = {"schema/", "docs/"}


@pytest.fixture
def with_page(settings: Settings) -> None:
    """The apps that the page needs."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "drf_spectacular", "drf_spectacular_sidecar"]


def operations(made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {operation["operationId"]: operation for item in made["paths"].values() for operation in item.values()}


def schemas() -> dict[str, Any]:
    found: dict[str, Any] = whole()["components"]["schemas"]
    return found


def everything(node: Any) -> list[dict[str, Any]]:
    """Every object in the document."""
    if isinstance(node, dict):
        return [node, *(found for value in node.values() for found in everything(value))]
    if isinstance(node, list):
        return [found for value in node for found in everything(value)]
    return []


@pytest.mark.parametrize("project", PROJECTS)
def test_the_exported_document_is_the_one_that_the_code_makes(project: str) -> None:
    """It is made without a warning, is valid, and does not depend on the database."""
    file = Path(f"openapi/{project}.yaml")

    assert file.read_text() == exported(project), "make schema brings openapi/ up to date"


def test_every_operation_is_in_the_document_under_a_name_of_its_own() -> None:
    made = document(MOUNT)

    assert warnings() == []
    validate_schema(made)
    assert made["openapi"] == "3.1.0"
    assert set(operations(made)) == OPERATIONS
    routes = {str(pattern.pattern) for pattern in urlpatterns}
    expected = {re.sub(r"<\w+:(\w+)>", r"{\1}", route) for route in routes if route.endswith("/")} - NOT_IN_IT
    assert {path.removeprefix("/") for path in made["paths"]} == expected


def test_operations_have_words_and_a_heading() -> None:
    headings = {tag["name"] for tag in whole()["tags"]}

    for name, operation in operations(whole()).items():
        assert operation["summary"], name
        assert set(operation["tags"]) <= headings, name
    assert {tag for operation in operations(whole()).values() for tag in operation["tags"]} == headings


def test_the_document_is_about_where_the_api_is_mounted() -> None:
    assert document("/elsewhere/")["servers"] == [{"url": "/elsewhere"}]
    assert document("/elsewhere/")["paths"] == document(MOUNT)["paths"]


def test_every_class_is_a_variant_with_its_own_type_in_requests_and_answers() -> None:
    for kind in (Event, Condition, Action, Trigger):
        types = [label(model) for model in component_types(kind)] + (["triggers.Trigger"] if kind is Trigger else [])
        for suffix in ("", "Request"):
            union = schemas()[f"{kind.__name__}{suffix}"]
            assert list(union["discriminator"]["mapping"]) == sorted(types)
            assert union["discriminator"]["propertyName"] == "type"
            assert [variant["$ref"] for variant in union["oneOf"]] == list(union["discriminator"]["mapping"].values())
            for type_, ref in union["discriminator"]["mapping"].items():
                variant = schemas()[ref.rpartition("/")[2]]
                assert variant["properties"]["type"] == {"type": "string", "const": type_}
                assert "type" in variant["required"]


def test_a_registered_serializer_takes_the_place_of_the_one_made_from_the_fields() -> None:
    sent, told = schemas()["VarietySecretActionRequest"], schemas()["VarietySecretAction"]

    assert set(sent["properties"]) == {"type", "id", "secret", "manner", "on_failure"}
    assert set(told["properties"]) == {"type", "id", "manner", "on_failure"}


def test_what_is_partial_has_no_defaults_and_requires_nothing() -> None:
    partial = schemas()["PatchedVarietySeasonalTriggerRequest"]

    assert "required" not in partial
    assert not any("default" in field for field in partial["properties"].values())
    assert schemas()["PatchedTriggerRequest"] == {
        "anyOf": [
            {"$ref": "#/components/schemas/PatchedTriggersTriggerRequest"},
            {"$ref": "#/components/schemas/PatchedVarietySeasonalTriggerRequest"},
        ]
    }


def test_traps_of_generated_schemas() -> None:
    found = everything(whole())

    assert not [part for part in found if "nullable" in part]
    assert not [part for part in found if "readOnly" in part or "writeOnly" in part]
    assert not [part for part in found if "x-spec-enum-id" in part]
    durations = [part for part in found if "DT00H" in str(part.get("default", ""))]
    assert durations
    assert all(part["pattern"].startswith("^[-+]?P(") for part in durations)
    number = schemas()["VarietyVariedConditionRequest"]["properties"]["small"]
    assert (number["minimum"], number["maximum"]) == (0, 32767)
    assert schemas()["Run"]["properties"]["trigger"] == {"type": "integer", "format": "int64"}
    for name, schema in schemas().items():
        is_read = "properties" in schema and not name.endswith("Request")
        if is_read and name not in ("Problem", "ProblemPart") and not name.startswith("CloudEvent"):
            assert set(schema["required"]) == set(schema["properties"]), name


def test_choices_are_called_after_the_field_whose_they_are() -> None:
    enumerations = {name for name, schema in schemas().items() if "enum" in schema}

    assert {"RunStatusEnum", "StepStatusEnum", "ActionOnFailureEnum", "ComponentTypeEnum"} <= enumerations
    assert {name for name in schemas() if name.endswith("Enum")} == enumerations
    (status,) = [each for each in operations(whole())["runs_list"]["parameters"] if each["name"] == "status"]
    assert status["schema"] == {"$ref": "#/components/schemas/RunStatusEnum"}


def test_every_refusal_is_a_problem_and_authenticated_operations_say_how() -> None:
    responses = whole()["components"]["responses"]
    for name, operation in operations(whole()).items():
        assert ("security" in operation) == (not name.startswith("health_")), name
        assert ("401" in operation["responses"]) == ("security" in operation), name
        for status, answer in operation["responses"].items():
            if status.startswith(("4", "5")):
                answer = responses[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
                schema = {"$ref": "#/components/schemas/Problem"}
                assert list(answer["content"]) == ["application/problem+json"], name
                content = answer["content"]["application/problem+json"]
                assert content["schema"] == schema, name
                validate(schema, content["example"])
                assert str(content["example"]["status"]) == status
    assert "Retry-After" in responses["Throttled"]["headers"]


def test_headers_are_described_where_they_are_sent() -> None:
    fire = operations(whole())["fire"]

    assert [each["name"] for each in fire["parameters"]] == ["Idempotency-Key"]
    assert set(fire["responses"]["202"]["headers"]) == {"Location", "Idempotent-Replayed"}
    update = operations(whole())["triggers_update"]
    assert {each["name"]: each["in"] for each in update["parameters"]} == {"If-Match": "header", "id": "path"}
    assert "ETag" in update["responses"]["200"]["headers"]
    assert "412" in update["responses"]


def test_links_lead_from_what_is_answered_to_operations_that_there_are() -> None:
    found = operations(whole())
    linked = [
        (name, answer, link)
        for name, operation in found.items()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    ]

    assert {link["operationId"] for _, _, link in linked} >= {"runs_retry", "triggers_enable", "activities_reset"}
    for name, answer, link in linked:
        assert "id" in {each["name"] for each in found[link["operationId"]]["parameters"]}, name
        pointer = link["parameters"]["id"].removeprefix("$response.body#")
        schema = answer["content"]["application/json"]["schema"]
        for part in pointer.strip("/").split("/"):
            if "$ref" in schema:
                schema = schemas()[schema["$ref"].rpartition("/")[2]]
            if "oneOf" in schema:
                schema = schemas()[schema["oneOf"][0]["$ref"].rpartition("/")[2]]
            schema = schema["items"] if part == "0" else schema["properties"][part]
        assert schema["type"] in ("integer", "string"), name


def test_examples_are_as_the_schema_says() -> None:
    shown = 0
    for operation in operations(whole()).values():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for example in content.get("examples", {}).values():
                validate(content["schema"], example["value"])
                shown += 1
    assert shown >= 4


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"OAS_VERSION": "3.1.0", "COMPONENT_SPLIT_REQUEST": True},
        {"COMPONENT_SPLIT_PATCH": False, "CAMELIZE_NAMES": False, "SCHEMA_PATH_PREFIX": "/api/v1"},
    ],
)
def test_a_project_with_a_document_of_its_own_gets_ours_right_without_doing_anything(settings: dict[str, Any]) -> None:
    reset_generator_stats()
    with tuned(settings):
        made = SchemaGenerator().get_schema(request=None, public=True)
        validate_schema(made)

    assert not GENERATOR_STATS
    assert set(operations(made)) == OPERATIONS
    assert "/api/v1/triggers/{id}/" in made["paths"]
    assert "PatchedTriggerRequest" in made["components"]["schemas"]
    assert "RunStatusEnum" in made["components"]["schemas"]


def test_making_our_document_leaves_the_settings_of_the_project_alone() -> None:
    before = spectacular_settings.OAS_VERSION, spectacular_settings.COMPONENT_SPLIT_REQUEST
    document.cache_clear()
    document(MOUNT)

    assert before == (spectacular_settings.OAS_VERSION, spectacular_settings.COMPONENT_SPLIT_REQUEST)
    assert before == ("3.0.3", False)


def test_the_document_is_served_to_anybody_in_json_and_yaml() -> None:
    client = APIClient()
    as_json = client.get("/api/v1/schema/")
    as_yaml = client.get("/api/v1/schema", HTTP_ACCEPT="application/yaml")

    assert as_json.headers["Content-Type"] == "application/json"
    assert as_json.json() == whole()
    assert as_yaml.headers["Content-Type"] == "application/yaml; charset=utf-8"
    assert yaml.safe_load(as_yaml.content) == whole()
    assert yaml.safe_load(client.get("/api/v1/schema/?format=yaml").content) == whole()
    assert client.get("/api/v1/schema/?format=json").json() == whole()


def test_who_has_the_document_is_not_sent_it_again() -> None:
    client = APIClient()
    etag = client.get("/api/v1/schema/").headers["ETag"]
    again = client.get("/api/v1/schema/", HTTP_IF_NONE_MATCH=etag)

    assert (again.status_code, again.content) == (304, b"")
    with override_settings(TRIGGERS_API_PAGE_SIZE=7):
        assert client.get("/api/v1/schema/").headers["ETag"] != etag
        assert client.get("/api/v1/schema/", HTTP_IF_NONE_MATCH=etag).status_code == 200


@pytest.mark.parametrize(
    ("query", "accept", "expected"),
    [
        (
            "?format=xml",
            "*/*",
            problem(
                400,
                "query_invalid",
                "The query is not valid: errors says where.",
                [("/format", "invalid_choice", "Write json or yaml.")],
            ),
        ),
        (
            "?lang=de",
            "application/yaml",
            problem(
                400,
                "query_invalid",
                "The query is not valid: errors says where.",
                [("/lang", "unknown_parameter", "There is no such parameter; there are format.")],
            ),
        ),
        ("", "text/html", problem(406, "not_acceptable", "Could not satisfy the request Accept header.")),
    ],
)
def test_what_the_document_cannot_be_had_as(query: str, accept: str, expected: dict[str, Any]) -> None:
    assert_problem(APIClient().get(f"/api/v1/schema/{query}", HTTP_ACCEPT=accept), expected)


def test_requests_from_the_page_are_let_in_with_its_token(anna: User, trigger: Trigger, with_page: None) -> None:
    """“Try it out” in a session, as whoever is logged in."""
    anna.user_permissions.add(Permission.objects.get(codename="fire_event"))
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(anna)
    page = client.get("/api/v1/docs/").content.decode()
    (header, token) = re.findall(r'request\.headers\["([\w-]+)"\] = "(\w+)"', page)[0]
    body = {"type": "app.TaskCompletedEvent", "user": str(anna.pk)}

    assert client.post("/api/v1/fire/", body, format="json").status_code == 403
    assert client.post("/api/v1/fire/", body, format="json", headers={header: token}).status_code == 202


def test_the_page_says_which_apps_it_needs() -> None:
    detail = (
        "This page needs drf_spectacular and drf_spectacular_sidecar in INSTALLED_APPS. "
        "The document itself is at schema/."
    )
    response = APIClient().get("/api/v1/docs/", HTTP_ACCEPT="text/html")

    assert_problem(response, problem(404, "docs_not_installed", detail))


def test_the_page_takes_nothing_from_elsewhere(with_page: None) -> None:
    response = APIClient().get("/api/v1/docs/")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    page = response.content.decode()
    assert 'url: "/api/v1/schema/"' in page
    assert '"X-CSRFTOKEN"' in page
    assert response.cookies["csrftoken"].value
    assert re.findall(r"(?:https?:)?//[\w.-]+", page) == []
    for file in re.findall(r'(?:href|src)="/static/([^"]+)"', page):
        folder = Path(apps.get_app_config("drf_spectacular_sidecar").path, "static")
        assert (folder / file).is_file()
