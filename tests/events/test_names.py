"""What can be a name that events are fired by, and a schema of what they tell; and what is none."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext

from tests.acceptance.scenario import a_trigger
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers import fire
from triggers.contrib.events.models import EventType, NamedEvent
from triggers.contrib.journeys.models import WaitForEvent
from triggers.exceptions import UnknownEventType
from triggers.models import Occurrence, Trigger
from triggers.registry import event_kind, event_kinds

pytestmark = pytest.mark.django_db

AMOUNT = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", "ada@example.com")


@pytest.fixture
def paid(db: None) -> EventType:
    return EventType.objects.create(name="order.paid")


def paid_trigger(name: str = "Paid", type_: str = "order.paid", **fields: Any) -> Trigger:
    return a_trigger(RecordEffectAction(), name=name, event=NamedEvent(event_type_id=type_, **fields))


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("order.lost", "No installed event type is called “order.lost”."),
        ("order.Paid", "No installed event type is called “order.Paid”."),
        ("", "No installed event type is called “”."),
        ("a\0b", "No installed event type is called “a\0b”."),
        (
            "triggers_events.NamedEvent",
            "Events of triggers_events.NamedEvent are fired by the names of their types: name one of those.",
        ),
        (
            NamedEvent,
            "Events of triggers_events.NamedEvent are fired by the names of their types: name one of those.",
        ),
    ],
)
@pytest.mark.usefixtures("paid")
def test_what_is_no_name_of_a_type_is_not_fired(ada: User, named: Any, says: str) -> None:
    with pytest.raises(UnknownEventType) as refusal:
        fire(named, users=ada)
    assert str(refusal.value) == says
    assert not Occurrence.objects.exists()


@pytest.mark.parametrize("expression", ["context.", "user.email == 'a'", "1 + 1", "x" * 2001])
@pytest.mark.usefixtures("paid")
def test_an_expression_that_cannot_be_asked_is_refused(expression: str) -> None:
    event = NamedEvent(trigger=Trigger.objects.create(name="T"), event_type_id="order.paid", expression=expression)
    with pytest.raises(ValidationError) as refusal:
        event.full_clean()
    assert list(refusal.value.error_dict) == ["expression"]


@pytest.mark.parametrize("name", ["order.lost", "triggers_events.NamedEvent"])
def test_nobody_waits_for_a_name_that_is_none(name: str) -> None:
    wait = WaitForEvent(event_type=name, within=timedelta(days=3))
    with pytest.raises(ValidationError) as refusal:
        wait.full_clean(exclude=["trigger", "polymorphic_ctype"])
    assert refusal.value.message_dict == {"event_type": [f"There is no event type “{name}” here."]}


def test_types_are_listed_among_what_can_be_fired(paid: EventType) -> None:
    names = [kind.name for kind in event_kinds()]
    assert "order.paid" in names
    assert "probe.ProbeEvent" in names
    assert "triggers_events.NamedEvent" not in names
    assert event_kind("order.paid").model is NamedEvent


@pytest.mark.parametrize(
    "name",
    ["", "1order", "order paid", "order\n", "order.paid\n", "ordér", "a\0", "../x", "a/../b", "a//b", "a/", "x" * 201],
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        EventType(name=name).full_clean()
    assert list(refusal.value.error_dict) == ["name"]


@pytest.mark.parametrize("name", ["probe.ProbeEvent", "probe.probeevent", "triggers_events.NamedEvent", "auth.User"])
def test_a_name_that_an_installed_class_has_is_refused(name: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        EventType(name=name).full_clean()
    assert list(refusal.value.error_dict) == ["name"]


@pytest.mark.parametrize(
    "name", ["order.paid", "com.example.order/paid", "order-paid", "a", "Order_paid:v1", "x" * 200]
)
def test_a_name_is_as_types_of_cloudevents_are(name: str) -> None:
    EventType(name=name).full_clean()


@pytest.mark.parametrize(
    "schema",
    [
        [],
        "object",
        True,
        {"type": "number-ish"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#/$defs/missing"},
        {"pattern": "("},
        {"properties": {"text": {"pattern": "["}}},
        {"description": "x" * 70_000},
    ],
)
def test_a_context_schema_that_is_none_or_leads_elsewhere_is_refused(schema: Any) -> None:
    with pytest.raises(ValidationError) as refusal:
        EventType(name="order.paid", context_schema=schema).full_clean()
    assert list(refusal.value.error_dict) == ["context_schema"]


@pytest.mark.usefixtures("ada")
def test_a_type_that_triggers_use_is_not_deleted(paid: EventType) -> None:
    trigger = paid_trigger()
    with pytest.raises(ProtectedError):
        paid.delete()
    trigger.delete()
    paid.delete()


@pytest.mark.usefixtures("paid")
def test_a_name_costs_one_statement_more_than_a_class(ada: User) -> None:
    a_trigger(RecordEffectAction(), name="Probe", event=ProbeEvent())
    paid_trigger()

    def cost(named: str) -> int:
        fire(named, users=ada)  # content types are known then
        with CaptureQueriesContext(connection) as queries:
            fire(named, users=ada)
        return len(queries)

    # That of the class overrides should_be_fired too, which is asked within a savepoint.
    savepoint = 2
    assert cost("order.paid") <= cost("probe.ProbeEvent") + 1 + savepoint
