"""Events that are fired by names which somebody has given them."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger, effects, people, wait_for_runs
from tests.admin.pages import text
from tests.probe.models import AwaitAction, RecordEffectAction
from tests.servers.worker import StartWorker
from triggers import fire
from triggers.contrib.events.models import EventType, NamedEvent
from triggers.exceptions import ContextSchemaMismatch, UnknownEventType
from triggers.explaining import explain
from triggers.firing import replay
from triggers.models import Occurrence, Run, Trigger
from triggers.running import advance
from triggers.testing import assert_fired
from triggers_api.configuration.applying import apply, export

pytestmark = pytest.mark.django_db

API = "/api/v1/"
ORDER = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number"}}}


@pytest.fixture
def root() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def order_paid() -> Trigger:
    type_ = EventType.objects.create(name="order.paid", context_schema=ORDER)
    EventType.objects.create(name="order.sent")
    a_trigger(RecordEffectAction(label="sent"), name="Sent", event=NamedEvent(event_type_id="order.sent"))
    return a_trigger(RecordEffectAction(label="paid"), name="Paid", event=NamedEvent(event_type=type_))


def advance_all() -> None:
    advance(list(Run.objects.open().values_list("pk", flat=True)))


def test_a_name_starts_the_triggers_of_its_type_alone(ada: User, order_paid: Trigger) -> None:
    occurrence = fire("order.paid", users=ada, context={"amount": 5})
    advance_all()
    assert occurrence.type == "order.paid"
    assert effects() == {"paid": 1}
    assert_fired("order.paid", user=ada, times=1)
    assert [found.trigger_name for found in explain("order.paid", users=ada, context={"amount": 5})] == ["Paid"]


def test_a_configured_event_is_fired_and_replayed_under_its_name(ada: User, order_paid: Trigger) -> None:
    run = fire(NamedEvent.objects.get(trigger=order_paid), users=ada, context={"amount": 5}).runs.get()
    advance_all()
    run.refresh_from_db()
    again = replay(run)
    assert {run.occurrence.type, again.type} == {"order.paid"}


def test_its_context_is_checked_whoever_fires_it(ada: User, order_paid: Trigger) -> None:
    for what in ("order.paid", NamedEvent.objects.get(trigger=order_paid)):
        with pytest.raises(ContextSchemaMismatch, match=r"schema of order\.paid"):
            fire(what, users=ada, context={"amount": "much"})
    assert not Occurrence.objects.exists()


@pytest.mark.parametrize("named", ["order.gone", "ORDER.PAID", "triggers_events.NamedEvent", NamedEvent])
def test_what_has_no_such_name_is_not_fired(named: Any, ada: User, order_paid: Trigger) -> None:
    with pytest.raises(UnknownEventType):
        fire(named, users=ada)


def test_an_expression_says_what_counts_and_one_that_fails_says_so(ada: User, order_paid: Trigger) -> None:
    NamedEvent.objects.filter(trigger=order_paid).update(expression="context.amount > 100 && context.vip")
    small = fire("order.paid", users=ada, context={"amount": 5, "vip": True})
    large = fire("order.paid", users=ada, context={"amount": 500, "vip": True})
    faulty = fire("order.paid", users=ada, context={"amount": 500})
    assert [each.matches[0]["code"] for each in (small, large, faulty)] == [
        "event_not_concerned",
        "matched",
        "event_error",
    ]


def test_a_run_waits_for_an_event_by_its_name(ada: User, order_paid: Trigger) -> None:
    waiting = a_trigger(AwaitAction(event_type="order.paid", seconds=3600), RecordEffectAction(label="after"), name="W")
    run = fire(waiting.events.get(), users=ada).runs.get()
    advance_all()
    run.refresh_from_db()
    assert (run.status, run.awaited_type) == ("waiting", "order.paid")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": "app.TaskCompletedEvent"}, "name"),
        ({"name": "app.taskcompletedevent"}, "name"),
        ({"name": "order paid"}, "name"),
        ({"name": "1st"}, "name"),
        ({"name": "x\n"}, "name"),
        ({"name": "x", "context_schema": {"type": "nothing"}}, "context_schema"),
        ({"name": "x", "context_schema": {"$ref": "https://example.com/schema"}}, "context_schema"),
    ],
)
def test_what_cannot_be_a_type_is_refused(values: dict[str, Any], field: str, root: APIClient) -> None:
    with pytest.raises(ValidationError) as refusal:
        EventType(**values).full_clean()
    assert set(refusal.value.message_dict) == {field}
    answer = root.post(f"{API}event-types/", values, format="json")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{field}")
    assert not EventType.objects.exists()


def test_types_are_made_changed_and_deleted_over_http(root: APIClient) -> None:
    made = root.post(f"{API}event-types/", {"name": "order.paid"}, format="json")
    assert made.status_code == 201
    assert made.json() == {"name": "order.paid", "description": "", "context_schema": None}
    url = made.headers["Location"]
    assert root.post(f"{API}event-types/", {"name": "order.paid"}, format="json").status_code == 400
    changed = root.patch(url, {"description": "Paid."}, format="json", HTTP_IF_MATCH=made.headers["ETag"])
    assert (changed.status_code, changed.json()["description"]) == (200, "Paid.")
    stale = root.put(url, {"name": "order.paid"}, format="json", HTTP_IF_MATCH=made.headers["ETag"])
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    renamed = root.put(url, {"name": "order.other"}, format="json")
    assert (renamed.status_code, renamed.json()["errors"][0]["code"]) == (400, "name_fixed")
    assert root.get(url, HTTP_IF_NONE_MATCH=changed.headers["ETag"]).status_code == 304
    assert root.delete(url).status_code == 204
    assert root.get(url).status_code == 404


def test_a_type_that_is_used_is_not_deleted(root: APIClient, order_paid: Trigger) -> None:
    answer = root.delete(f"{API}event-types/order.paid/")
    assert (answer.status_code, answer.json()["code"]) == (409, "event_type_used")
    assert "“Paid”" in answer.json()["detail"]


def test_it_is_listed_and_fired_over_http(root: APIClient, ada: User, order_paid: Trigger) -> None:
    told = {each["type"]: each for each in root.get(f"{API}event-types/").json()["results"]}
    assert told["order.paid"]["enabled_triggers"] == 1
    assert told["order.paid"]["context_schema"] == ORDER
    assert "triggers_events.NamedEvent" not in told
    firing = {"type": "order.paid", "user": str(ada.pk), "context": {"amount": 5}}
    fired = root.post(f"{API}fire/", firing, format="json")
    assert (fired.status_code, fired.json()["type"], len(fired.json()["runs"])) == (202, "order.paid", 1)
    event = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.paid", "subject": str(ada.pk)}
    body = json.dumps(event | {"data": {"amount": 5}})
    sent = root.post(f"{API}cloudevents/", body, content_type="application/cloudevents+json")
    assert (sent.status_code, sent.json().get("type")) == (202, "order.paid"), sent.json()
    assert len(root.get(f"{API}occurrences/?type=order.paid").json()["results"]) == 2


def test_types_are_a_section_of_configurations(order_paid: Trigger) -> None:
    document = export()
    assert [item["name"] for item in document["event_types"]] == ["order.paid", "order.sent"]
    assert not apply(document).changes
    Trigger.objects.all().delete()
    EventType.objects.all().delete()
    assert [change.action for change in apply(document).changes] == ["add"] * 4
    assert export() == document


def test_types_and_events_are_set_up_in_the_admin(admin_client: Client, order_paid: Trigger) -> None:
    assert "order.sent" in admin_client.get("/admin/triggers_events/eventtype/").content.decode()
    page = admin_client.get(f"/admin/triggers/trigger/{order_paid.pk}/change/").content.decode()
    assert "order.sent" in page
    occurrences = admin_client.get("/admin/triggers/occurrence/")
    assert "order.paid" in occurrences.content.decode()


def test_the_admin_shows_names_as_they_are_written(admin_client: Client, ada: User, order_paid: Trigger) -> None:
    order_paid.actions.update(position=1)
    AwaitAction.objects.create(trigger=order_paid, event_type="order.sent", position=0)
    occurrence = fire("order.paid", users=ada, context={"amount": 5})
    run = occurrence.runs.get()
    advance([run.pk])

    def page(path: str) -> str:
        return text(admin_client.get(f"/admin/triggers/{path}"))

    assert " “order.paid” " in page("trigger/")
    of_run = page(f"run/{run.pk}/change/")
    assert "it waits for “order.sent”, until " in of_run
    for shown in (of_run, page(f"occurrence/{occurrence.pk}/change/")):
        assert " “order.paid” " in shown
        assert "(order.paid)" not in shown


@pytest.mark.django_db(transaction=True)
def test_a_worker_performs_what_a_name_has_fired(start_worker: StartWorker) -> None:
    EventType.objects.create(name="order.paid")
    a_trigger(RecordEffectAction(), event=NamedEvent(event_type_id="order.paid"))
    start_worker()
    fire("order.paid", users=people(3))
    wait_for_runs(3)
    assert effects() == {"effect": 3}
