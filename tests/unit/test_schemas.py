import datetime as dt
import socket
import subprocess
import sys
from decimal import Decimal
from uuid import UUID

import pytest

from tests.acceptance.scenario import a_trigger
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers import checks, fire
from triggers.exceptions import ContextInvalid, ContextSchemaMismatch
from triggers.explaining import explain
from triggers.firing import replay
from triggers.models import Occurrence

pytestmark = pytest.mark.django_db

ORDER = {
    "type": "object",
    "required": ["amount"],
    "properties": {
        "amount": {"type": "number", "minimum": 0, "multipleOf": 0.5},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}, "maxItems": 2, "uniqueItems": True},
        "at": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "hour": {"format": "time"},
        "pause": {"format": "duration"},
        "id": {"format": "uuid"},
        "state": {"enum": ["new", "paid"]},
        "code": {"type": "string", "pattern": "^[A-Z]+$", "maxLength": 5},
        "one": {"const": 1},
        "never": False,
        "any": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["x"]}]},
        "kinds": {"type": ["integer", "null"]},
        "not": {"not": {"type": "string"}},
    },
    "additionalProperties": False,
    "$defs": {"line": {"type": "object", "properties": {"sku": {"type": "string"}}, "additionalProperties": False}},
}


@pytest.fixture
def schema(monkeypatch):
    def schema(value):
        monkeypatch.setattr(ProbeEvent, "context_schema", value)

    schema(ORDER)
    return schema


def refusal(context):
    with pytest.raises(ContextSchemaMismatch) as refused:
        fire(ProbeEvent, users=[], context=context)
    assert refused.value.code == "context_schema_mismatch"
    assert refused.value.argument == "context"
    assert not Occurrence.objects.exists()
    beginning = "The context is not as the schema of probe.ProbeEvent asks: "
    assert str(refused.value).startswith(beginning)
    return refused.value.path, str(refused.value).removeprefix(beginning)


def test_what_the_schema_allows_is_taken_as_json_shows_it(schema):
    context = {
        "amount": Decimal("12.50"),
        "lines": [{"sku": "a"}, {}],
        "at": dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC),
        "day": dt.date(2026, 1, 31),
        "hour": dt.time(9, 30),
        "pause": "P1DT2H",
        "id": UUID(int=7),
        "state": "new",
        "kinds": None,
        "any": {"x": 1},
    }
    fire(ProbeEvent, users=[], context=context)
    assert Occurrence.objects.count() == 1


@pytest.mark.parametrize(
    ("context", "path", "message"),
    [
        ({}, (), 'the context lacks "amount".'),
        ({"amount": "12"}, ("amount",), 'amount must be of the type number, not "12".'),
        ({"amount": Decimal(-1)}, ("amount",), "amount must be at least 0, not -1.0."),
        ({"amount": 0.7}, ("amount",), "amount must be a multiple of 0.5, not 0.7."),
        ({"amount": Decimal("Infinity")}, ("amount",), 'amount must be of the type number, not "Infinity".'),
        ({"amount": 1, "b": 2}, (), 'the context must not have "b".'),
        (
            {"amount": 1, "lines": [{}, {"sku": 1}]},
            ("lines", 1, "sku"),
            "lines/1/sku must be of the type string, not 1.",
        ),
        ({"amount": 1, "lines": [{"x": 1}]}, ("lines", 0), 'lines/0 must not have "x".'),
        ({"amount": 1, "lines": [{}, {"sku": "a"}, {"sku": "b"}]}, ("lines",), "lines must have at most 2 items."),
        ({"amount": 1, "lines": [{}, {}]}, ("lines",), "lines must not have an item twice."),
        ({"amount": 1, "at": "2026-01-31"}, ("at",), 'at must be of the format date-time, not "2026-01-31".'),
        (
            {"amount": 1, "at": dt.datetime(2026, 1, 31)},  # noqa: DTZ001
            ("at",),
            'at must be of the format date-time, not "2026-01-31T00:00:00".',
        ),
        ({"amount": 1, "day": "31.1.2026"}, ("day",), 'day must be of the format date, not "31.1.2026".'),
        ({"amount": 1, "hour": "25:00"}, ("hour",), 'hour must be of the format time, not "25:00".'),
        ({"amount": 1, "pause": "1 day"}, ("pause",), 'pause must be of the format duration, not "1 day".'),
        ({"amount": 1, "id": "7"}, ("id",), 'id must be of the format uuid, not "7".'),
        ({"amount": 1, "state": "old"}, ("state",), 'state must be one of ["new", "paid"], not "old".'),
        ({"amount": 1, "code": "abc"}, ("code",), 'code must match ^[A-Z]+$, not "abc".'),
        ({"amount": 1, "code": "ABCDEF"}, ("code",), "code must have at most 5 characters."),
        ({"amount": 1, "one": 2}, ("one",), "one must be 1, not 2."),
        ({"amount": 1, "never": 1}, (), "the context holds what is not allowed."),
        ({"amount": 1, "kinds": "a"}, ("kinds",), 'kinds must be of the type integer or null, not "a".'),
        ({"amount": 1, "any": {}}, ("any",), 'any lacks "x".'),
        ({"amount": 1, "not": "a"}, ("not",), "not does not satisfy “not”."),
    ],
)
def test_what_it_does_not_allow_is_refused_with_the_place_and_the_reason(schema, context, path, message):
    assert refusal(context) == (path, message)


def test_a_message_repeats_no_more_than_an_excerpt(schema):
    _path, message = refusal({"amount": "secret " * 100})
    assert len(message) < 100
    keys = {f"key{number}": "secret" for number in range(1000)}
    _path, message = refusal({"amount": 1, **keys})
    assert len(message) < 250
    assert "secret" not in message


def test_whoever_fires_is_refused(schema, ada):
    trigger = a_trigger(RecordEffectAction())
    event = trigger.events.get()
    for attempt in (
        lambda: fire(event, users=ada),
        lambda: fire(ProbeEvent, audience="all"),
        lambda: event.fire_single(ada.pk),
        lambda: event.handle(ada.pk),
        lambda: explain(ProbeEvent, users=ada),
    ):
        with pytest.raises(ContextSchemaMismatch):
            attempt()
    assert not Occurrence.objects.exists()


def test_what_cannot_be_stored_is_said_first(schema):
    with pytest.raises(ContextInvalid) as refused:
        fire(ProbeEvent, users=[], context={"user": 1})
    assert refused.value.code == "context_key_reserved"


def test_what_was_accepted_is_replayed_though_the_schema_has_changed(schema, ada):
    a_trigger(RecordEffectAction())
    run = fire(ProbeEvent, users=ada, context={"amount": 1}).runs.get()
    schema({"required": ["other"]})
    assert replay(run).runs.count() == 1


@pytest.mark.parametrize("context", [{"amount": 10**400}, {"amount": Decimal("1e400")}])
def test_numbers_beyond_all_bounds_are_refused(schema, context):
    with pytest.raises(ContextSchemaMismatch):
        fire(ProbeEvent, users=[], context=context)


def test_a_schema_that_leads_in_circles_refuses(schema):
    schema({"$ref": "#"})
    with pytest.raises(ContextSchemaMismatch, match=r"cannot be checked against the schema of probe\.ProbeEvent"):
        fire(ProbeEvent, users=[], context={})


def test_nothing_is_fetched(schema):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        schema({"$ref": f"http://127.0.0.1:{listener.getsockname()[1]}/schema.json"})
        with pytest.raises(ContextSchemaMismatch):
            fire(ProbeEvent, users=[], context={})
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ([], "is list, not a JSON Schema.", "dictionary"),
        ({"type": "text"}, "is no JSON Schema 2020-12, at type: ", "Correct the schema there."),
        ({"properties": {"a": {"required": "b"}}}, "at properties/a/required: ", "Correct the schema there."),
        ({"$ref": "https://example.com/a.json"}, "refers to https://example.com/a.json,", "$defs"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "refers to #/$defs/b,", "$defs"),
        ({"items": {"anyOf": [{"$dynamicRef": "#x"}]}}, "refers to #x,", "$defs"),
    ],
)
def test_a_schema_that_cannot_be_used_is_found_by_a_system_check(schema, value, message, hint):
    schema(value)
    (found,) = checks.check_components(None)
    assert found.id == "triggers.E008"
    assert found.msg.startswith("probe.ProbeEvent.context_schema ")
    assert message in found.msg
    assert hint in found.hint


def test_a_schema_that_refers_to_its_own_parts_is_fine(schema):
    schema({**ORDER, "$id": "https://example.com/order", "properties": {"next": {"$ref": "order#/$defs/line"}}})
    assert checks.check_components(None) == []


def test_a_schema_needs_jsonschema(schema, monkeypatch):
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    (found,) = [found for found in checks.check_components(None) if found.obj is ProbeEvent]
    assert (found.id, found.hint) == ("triggers.E008", "Install it: pip install 'dj-triggers[jsonschema]'.")


def test_jsonschema_is_not_imported_where_no_class_has_a_schema():
    code = (
        "import django, sys; django.setup();"
        "from django.core.checks import run_checks; from triggers.recording import Firing;"
        "from triggers.audiences import NamedUsers; from tests.probe.models import ProbeEvent;"
        "from triggers.registry import event_kind;"
        "run_checks(); Firing(kind=event_kind(ProbeEvent), audience=NamedUsers([], 'default'), context={});"
        "sys.exit('triggers.schemas' not in sys.modules or 'jsonschema' in sys.modules)"
    )
    environment = {"DJANGO_SETTINGS_MODULE": "tests.unit.without_api"}
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment).returncode == 0
