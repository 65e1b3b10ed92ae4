"""
What schemathesis does before it sends a request, loaded by ``SCHEMATHESIS_HOOKS``.

Where only the database can tell what will be accepted, requests that the schema allows are made so that they will: ids
of nothing become ids of something, keys that were used become new ones. What is to be refused stays as it is.
"""

import os
from collections.abc import Callable, Mapping
from copy import deepcopy
from itertools import cycle
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import django
import schemathesis
from schemathesis import Case, HookContext
from schemathesis.core.parameters import ParameterLocation as Location
from schemathesis.generation.meta import TestPhase

django.setup()

from tests.fuzz import bodies, world  # noqa: E402  # there are no models before
from triggers.models import Activity, Occurrence, Run  # noqa: E402
from triggers_api.cloudevents import BatchParser, StructuredParser  # noqa: E402
from triggers_api.serializers import TriggerSerializer  # noqa: E402

URL = os.environ["FUZZ_URL"]
TOKEN = os.environ["FUZZ_TOKEN"]

#: What a request is about, by operation.
IDS: Mapping[str, Callable[[Case[Any]], Any]] = {
    "activities_reset": lambda case: world.a_record(Activity),
    "component_types_retrieve": lambda case: world.a_type(),
    "occurrences_cancel": lambda case: world.a_record(Occurrence),
    "occurrences_retrieve": lambda case: world.a_record(Occurrence),
    "runs_cancel": lambda case: world.an_open_run(),
    "runs_replay": lambda case: world.an_ended_run(),
    "runs_retrieve": lambda case: world.a_record(Run),
    "runs_retry": lambda case: world.a_failed_run(),
    "triggers_delete": lambda case: world.a_new_trigger(),
    "triggers_disable": lambda case: world.a_trigger_to_switch(),
    "triggers_enable": lambda case: world.a_trigger_to_switch(),
    "triggers_partial_update": lambda case: world.a_trigger(_type(case)),
    "triggers_retrieve": lambda case: world.a_trigger(),
    "triggers_update": lambda case: world.a_trigger(_type(case)),
}

BODIES: Mapping[str, Callable[[Case[Any]], None]] = {
    "configuration_apply": lambda case: bodies.true_configuration(case.body),
    "explain": lambda case: bodies.true_firing(case.body),
    "fire": lambda case: bodies.true_firing(case.body),
    "fire_batch": lambda case: bodies.true_firings(case.body),
    "receive_cloudevent": lambda case: true_events(case),
    "triggers_create": lambda case: bodies.true_trigger(case.body),
    "triggers_partial_update": lambda case: bodies.true_trigger(case.body, _trigger(case)),
    "triggers_update": lambda case: bodies.true_trigger(case.body, _trigger(case)),
}

_preconditions = cycle(("none", "any", "right"))


@schemathesis.hook
def before_add_examples(context: HookContext, examples: list[Case[Any]]) -> None:
    """What takes nothing is the same each time: it is asked for as often as others are."""
    assert context.operation is not None
    if not context.operation.definition.raw.get("parameters") and "requestBody" not in context.operation.definition.raw:
        examples.extend(context.operation.Case() for _ in range(20))


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    operation = case.operation.definition.raw["operationId"]
    if operation in IDS and is_good(case, Location.PATH) and not is_linked(case):
        ((name, value),) = case.path_parameters.items()
        case.path_parameters = {name: type(value)(IDS[operation](case))}
    if operation in BODIES and is_good(case, Location.BODY) and isinstance(case.body, dict | list):
        case.body = deepcopy(case.body)
        BODIES[operation](case)
    if is_good(case, Location.HEADER):
        true_headers(case)
    if is_good(case, Location.QUERY):
        true_query(operation, case)


def is_good(case: Case[Any], location: Location) -> bool:
    """Whether the part of the request is as the schema says."""
    return case.meta is None or not case.meta.is_negative_at(location)


def is_linked(case: Case[Any]) -> bool:
    """Whether the request is about what an earlier one answered."""
    return case.meta is not None and case.meta.phase.name is TestPhase.STATEFUL


def true_headers(case: Case[Any]) -> None:
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = bodies.new(case.headers["Idempotency-Key"], 255)
    if "If-Match" in case.headers:
        match next(_preconditions):
            case "none":
                del case.headers["If-Match"]
            case "any":
                case.headers["If-Match"] = "*"
            case "right":
                case.headers["If-Match"] = etag(case) or "*"


def true_query(operation: str, case: Case[Any]) -> None:
    if "user" in case.query:
        case.query["user"] = str(world.a_user())
    if operation == "configuration_apply":
        case.query["prune"] = "false"  # others need the triggers that there are
    if operation == "triggers_list" and "cursor" in case.query:
        case.query["cursor"] = f"{case.query.get('order', '-id')}:{world.a_trigger()}"


def true_events(case: Case[Any]) -> None:
    match case.media_type:
        case StructuredParser.media_type:
            bodies.true_event(case.body)
        case BatchParser.media_type:
            events: Any = case.body
            for event in events:
                bodies.true_event(event)
        case _ if is_good(case, Location.HEADER):
            event = {"specversion": "1.0", "type": "app.ClockEvent", "source": "/fuzz", "id": "1", "subject": "1"}
            bodies.true_event(event)
            event["time"] = "2026-01-31T09:00:00Z"
            case.headers.update({f"ce-{name}": value for name, value in event.items()})


def etag(case: Case[Any]) -> str | None:
    """What the server answers as the ETag of what the request is about."""
    request = Request(f"{URL}/api/v1{case.formatted_path}", headers={"Authorization": f"Token {TOKEN}"})
    try:
        with urlopen(request) as answer:
            tag: str | None = answer.headers["ETag"]
            return tag
    except HTTPError:
        return None


def _type(case: Case[Any]) -> str | None:
    """The class of triggers that the body is for."""
    if not isinstance(case.body, dict):
        return None
    if isinstance(type_ := case.body.get("type"), str):
        return type_
    variants = TriggerSerializer.variants().items()
    return next((type_ for type_, variant in variants if case.body.keys() <= variant().fields.keys()), None)


def _trigger(case: Case[Any]) -> int | None:
    return int(case.path_parameters["id"]) if is_good(case, Location.PATH) else None
