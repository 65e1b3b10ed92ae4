"""Which types there are: what a client needs to set a trigger up without knowing the project."""

from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.utils.text import capfirst
from jsonschema import Draft202012Validator, ValidationError
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, problem
from tests.app.models import SendEmailAction, TaskCompletedEvent
from tests.probe.models import ProbeEvent, RecordEffectAction
from tests.variety.models import SecretAction, VariedCondition
from triggers.contrib.events.models import EventType, NamedEvent
from triggers.models import Action, Condition, Event, Trigger
from triggers.registry import component_types, label
from triggers_api.schema.components import example, json_schema
from triggers_api.serializers.definitions import serializer_class_for

pytestmark = pytest.mark.django_db

URL = "/api/v1/component-types/"
MODELS = [model for kind in (Event, Condition, Action) for model in component_types(kind)]
EMAIL = {
    "type": "app.SendEmailAction",
    "kind": "action",
    "title": "Send an e-mail",
    "description": (
        "Sends the person an e-mail.\n\n"
        "Subject and message can mention the person, as in {{ user.first_name }}, and what the event knows.\n"
        "Nothing is sent to a person without an e-mail address."
    ),
    "context_schema": None,
    "may_be_made": True,
    "schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "type": {"type": "string", "const": "app.SendEmailAction"},
            "id": {"type": "integer", "format": "int64"},
            "on_failure": {
                "allOf": [{"$ref": "#/$defs/ActionOnFailureEnum"}],
                "default": "stop",
                "description": "What happens to the rest of the run when this action has failed for good.",
            },
            "subject": {"type": "string", "minLength": 1, "maxLength": 200},
            "message": {"type": "string", "minLength": 1},
        },
        "required": ["message", "subject", "type"],
        "additionalProperties": False,
        "description": (
            "Sends the person an e-mail.\n\n"
            "Subject and message can mention the person, as in {{ user.first_name }}, and what the event knows.\n"
            "Nothing is sent to a person without an e-mail address."
        ),
        "$defs": {
            "ActionOnFailureEnum": {
                "type": "string",
                "enum": ["stop", "continue"],
                "description": "* `stop` - stop the run\n* `continue` - go on with the next action",
            },
        },
    },
    "example": {"type": "app.SendEmailAction", "on_failure": "stop", "subject": "text", "message": "text"},
}


@pytest.fixture
def reader(client_with: StartClient) -> APIClient:
    return client_with("view_trigger")


def test_a_type_tells_what_a_component_of_it_takes(reader: APIClient) -> None:
    response = reader.get(f"{URL}app.SendEmailAction/")

    assert response.status_code == 200
    assert response.json() == EMAIL


def test_every_type_is_listed(reader: APIClient) -> None:
    listed = reader.get(URL).json()["results"]

    assert [each["type"] for each in listed] == [label(model) for model in MODELS]
    assert EMAIL in listed
    assert all(reader.get(f"{URL}{each['type']}/").json() == each for each in listed)


@pytest.mark.parametrize(("kind", "base"), [("event", Event), ("condition", Condition), ("action", Action)])
def test_types_of_one_kind(reader: APIClient, kind: str, base: Any) -> None:
    listed = reader.get(URL, {"kind": kind}).json()["results"]

    assert {each["kind"] for each in listed} == {kind}
    assert [each["type"] for each in listed] == [label(model) for model in component_types(base)]


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_the_schema_and_the_serializer_take_the_example(model: Any) -> None:
    EventType.objects.create(name="order.paid")  # which examples of components that name one have
    serializer_class = serializer_class_for(model)
    schema = json_schema(serializer_class)
    body = example(schema, serializer_class.example)

    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    validator.validate(body)
    serializer = serializer_class(data=body)
    assert serializer.is_valid(), serializer.errors
    for wrong in ({"type": "app.Other"}, {"no_such_field": 1}):
        with pytest.raises(ValidationError):
            validator.validate(body | wrong)
        assert wrong == {"type": "app.Other"} or not serializer_class(data=body | wrong).is_valid()


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_a_schema_is_complete_and_nothing_but_json_schema(model: Any) -> None:
    text = str(json_schema(serializer_class_for(model)))

    for keyword in ("nullable", "discriminator", "#/components", "readOnly", "writeOnly", "x-spec"):
        assert keyword not in text


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("text", "five5", "longer"),
        ("flag", True, "true"),
        ("maybe", None, "null"),
        ("small", 32767, 32768),
        ("small", 0, -1),
        ("number", 10, 11),
        ("big", 2**63 - 1, 2**63),
        ("ratio", 0.25, "0.25"),
        ("amount", "-9999.99", "1.234"),
        ("amount", "0.5", "-."),
        ("amount", "7", 7),
        ("period", "P1DT2H", "1 day"),
        ("period", "PT0.5S", "P1Y"),
        ("data", {"any": ["thing"]}, ...),
        ("size", 2, 3),
        ("color", "red", "blue"),
        ("color", "", None),
        ("slug", "a-b", "a b"),
        ("groups", [], 1),
    ],
)
def test_the_schema_takes_what_the_serializer_takes(field: str, good: Any, bad: Any) -> None:
    serializer_class = serializer_class_for(VariedCondition)
    validator = Draft202012Validator(json_schema(serializer_class))
    body = {"type": "variety.VariedCondition"}

    for value, expected in ((good, True), (bad, False)):
        if value is not ...:
            assert validator.is_valid(body | {field: value}) is expected
            assert serializer_class(data=body | {field: value}).is_valid() is expected


def test_a_registered_serializer_says_what_is_taken(reader: APIClient) -> None:
    told = reader.get(f"{URL}{label(SecretAction)}/").json()

    assert list(told["schema"]["properties"]) == ["type", "id", "secret", "manner", "on_failure"]
    assert told["example"] == {
        "type": "variety.SecretAction",
        "secret": "text",
        "manner": "plain",
        "on_failure": "stop",
    }


def test_an_event_tells_the_schema_of_its_context(reader: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"type": "object", "required": ["task_id"]}
    monkeypatch.setattr(TaskCompletedEvent, "context_schema", schema, raising=False)

    assert reader.get(f"{URL}app.TaskCompletedEvent/").json()["context_schema"] == schema
    (told,) = [each for each in event_types(reader) if each["type"] == "app.TaskCompletedEvent"]
    assert told["context_schema"] == schema


def test_types_that_may_not_be_made_say_so(reader: APIClient, settings: Settings) -> None:
    settings.TRIGGERS_API_COMPONENT_TYPES = ["app.SendEmailAction"]

    listed = reader.get(URL).json()["results"]

    assert [each["type"] for each in listed if each["may_be_made"]] == ["app.SendEmailAction"]


def test_what_can_be_fired_and_who_waits_for_it(reader: APIClient) -> None:
    enabled = a_trigger(RecordEffectAction())
    ProbeEvent.objects.create(trigger=enabled)  # a second event is not a second trigger
    ProbeEvent.objects.create(trigger=Trigger.objects.create(name="Disabled"))
    a_trigger(RecordEffectAction(), name="Another")

    told = event_types(reader)

    assert [each["type"] for each in told] == [
        label(model) for model in component_types(Event) if model is not NamedEvent
    ]
    assert [each for each in told if each["type"] == "probe.ProbeEvent"] == [
        {
            "type": "probe.ProbeEvent",
            "title": capfirst(str(ProbeEvent._meta.verbose_name)),
            "description": "Happens when a test says so.",
            "context_schema": None,
            "enabled_triggers": 2,
        }
    ]
    assert {each["enabled_triggers"] for each in told if each["type"] != "probe.ProbeEvent"} == {0}


def event_types(client: APIClient) -> list[dict[str, Any]]:
    response = client.get("/api/v1/event-types/")
    assert response.status_code == 200
    told: list[dict[str, Any]] = response.json()["results"]
    return told


@pytest.mark.parametrize("path", ["component-types/", "component-types/app.SendEmailAction/", "event-types/"])
def test_who_has_what_is_answered_is_not_sent_it_again(reader: APIClient, path: str) -> None:
    etag = reader.get(f"/api/v1/{path}").headers["ETag"]

    for sent in (etag, f'"other", W/{etag}'):
        response = reader.get(f"/api/v1/{path}", HTTP_IF_NONE_MATCH=sent)
        assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", etag)
    assert reader.get(f"/api/v1/{path}", HTTP_IF_NONE_MATCH='"other"').status_code == 200


@pytest.mark.parametrize("path", ["component-types/", "component-types/app.SendEmailAction/", "event-types/"])
def test_whoever_sets_up_or_fires_may_read_types(client_with: StartClient, path: str) -> None:
    for permission in ("view_trigger", "add_trigger", "fire_event"):
        assert client_with(permission, username=permission).get(f"/api/v1/{path}").status_code == 200

    detail = (
        "To do this you need one of the permissions triggers.view_trigger, triggers.add_trigger, triggers.fire_event."
    )
    forbidden = client_with("view_run").get(f"/api/v1/{path}")
    assert_problem(forbidden, problem(403, "permission_denied", detail))
    assert APIClient().get(f"/api/v1/{path}").status_code == 401


@pytest.mark.parametrize("type_", ["app.NoSuchThing", "app.sendemailaction", "triggers.Event", "triggers.Trigger", "x"])
def test_a_type_that_there_is_not(reader: APIClient, type_: str) -> None:
    assert_problem(reader.get(f"{URL}{type_}/"), problem(404, "not_found", "Not found."))


@pytest.mark.parametrize(
    ("path", "pointer", "code", "detail"),
    [
        ("component-types/?kind=trigger", "/kind", "invalid_choice", "Write event, condition or action."),
        (
            "component-types/?limit=1",
            "/limit",
            "unknown_parameter",
            "There is no such parameter; there are kind.",
        ),
        ("event-types/?kind=event", "/kind", "unknown_parameter", "There is no such parameter; none is taken."),
    ],
)
def test_a_query_that_is_not_taken(reader: APIClient, path: str, pointer: str, code: str, detail: str) -> None:
    message = "The query is not valid: errors says where."
    assert_problem(reader.get(f"/api/v1/{path}"), problem(400, "query_invalid", message, [(pointer, code, detail)]))


def test_types_cost_the_same_however_many_there_are(
    reader: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    event_types(reader)  # content types are cached

    # Who asks and what they may (3).
    with django_assert_num_queries(3):
        reader.get(URL)
    with django_assert_num_queries(3):
        reader.get(f"{URL}{label(SendEmailAction)}/")
    # And how many triggers wait for each (1), and the names that people have given (1).
    with django_assert_num_queries(5):
        event_types(reader)
    ContentType.objects.clear_cache()
    with django_assert_num_queries(6):
        event_types(reader)
