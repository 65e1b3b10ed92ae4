"""What docs/components.md says of its shop. test_components.py runs these where the shop is installed."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from tests.docs.blocks import blocks
from triggers import fire
from triggers.models import ActionCountCondition, Occurrence, Run
from triggers.testing import assert_ran, make_trigger


def shop(name: str) -> Any:
    return apps.get_model("shop", name)


class Warehouse(HTTPServer):
    """Answers with the statuses it is given, one after the other, and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), WarehouseDoor)
        self.statuses: list[int] = []
        self.told: list[tuple[str | None, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class WarehouseDoor(BaseHTTPRequestHandler):
    server: Warehouse

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append((self.headers["Idempotency-Key"], body))
        self.send_response(self.server.statuses.pop(0))
        self.send_header("Retry-After", "3600")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    server = Warehouse()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_user("anna")


def place_order(user: User, amount: int) -> Any:
    from shop.orders import place_order  # type: ignore[import-not-found]

    return place_order(user, amount)


def test_an_order_that_is_too_small_is_left_out(anna: User, run_triggers: Any) -> None:
    make_trigger(shop("OrderPlacedEvent")(minimum_amount=50), shop("GivePointsAction")())
    place_order(anna, 49)
    assert Occurrence.objects.get().matches[0]["code"] == "event_not_concerned"
    place_order(anna, 50)
    assert Run.objects.count() == 1


def test_an_order_is_fired_once(anna: User, run_triggers: Any) -> None:
    order = place_order(anna, 40)
    again = fire(
        "shop.OrderPlacedEvent",
        users=anna,
        context={"order_id": order.pk, "amount": order.amount},
        key=f"order-{order.pk}",
    )
    assert again.replayed


def test_the_unpaid_order_is_asked_for(anna: User, run_triggers: Any) -> None:
    trigger = make_trigger(
        shop("OrderPlacedEvent")(), shop("HasUnpaidOrderCondition")(), shop("GivePointsAction")(points=1)
    )
    condition = trigger.conditions.get()
    order = place_order(anna, 40)
    assert condition.is_satisfied(anna)
    shop("Order").objects.update(is_paid=True)
    assert not condition.is_satisfied(anna)
    run_triggers()
    run = assert_ran(trigger, user=anna, status="skipped", code="condition_failed")
    assert run.decision is not None
    assert run.decision["name"] == "has an unpaid order"
    assert order.pk


def test_who_is_kept_out_learns_what_is_required_and_what_was_observed(anna: User, run_triggers: Any) -> None:
    trigger = make_trigger(
        shop("OrderPlacedEvent")(), shop("OrderAmountCondition")(amount=50), shop("GivePointsAction")()
    )
    place_order(anna, 10)  # the first
    run_triggers()
    assert_ran(trigger, user=anna)
    place_order(anna, 10)
    run_triggers()
    run = assert_ran(trigger, user=anna, status="skipped", code="order_too_small")
    assert run.decision is not None
    assert run.decision["required"] == "an order of 50.00 or more, or the first one"
    assert run.decision["observed"] == "2 orders so far"


def test_points_are_given_to_many_with_one_insert(db: None, run_triggers: Any) -> None:
    make_trigger(shop("OrderPlacedEvent")(), shop("GivePointsAction")(points=5))
    users = User.objects.bulk_create(User(username=f"user{number}") for number in range(20))
    fire("shop.OrderPlacedEvent", users=users, context={"order_id": 0})
    run_triggers()
    assert set(shop("Points").objects.values_list("points", flat=True)) == {5}
    assert shop("Points").objects.count() == 20


def test_the_warehouse_is_told_under_one_key_until_it_has_heard(
    anna: User, run_triggers: Any, warehouse: Warehouse
) -> None:
    warehouse.statuses = [500, 429, 200]
    trigger = make_trigger(shop("OrderPlacedEvent")(), shop("CallWarehouseAction")(url=warehouse.url))
    order = place_order(anna, 40)
    run_triggers()
    assert len(warehouse.told) == 1
    run_triggers(after=timedelta(minutes=5))
    assert len(warehouse.told) == 2
    run_triggers(after=timedelta(minutes=30))
    assert len(warehouse.told) == 2  # it asked for an hour
    run_triggers(after=timedelta(hours=2))
    run = assert_ran(trigger, user=anna)
    assert warehouse.told == [(f"{run.pk}:0", {"order": order.pk})] * 3


def test_what_the_warehouse_refuses_is_not_sent_again(anna: User, run_triggers: Any, warehouse: Warehouse) -> None:
    warehouse.statuses = [400]
    trigger = make_trigger(shop("OrderPlacedEvent")(), shop("CallWarehouseAction")(url=warehouse.url))
    place_order(anna, 40)
    run_triggers(after=timedelta(days=1))
    run = assert_ran(trigger, user=anna, status="failed", code="action_failed")
    assert run.steps.get().error_message == "The warehouse answered 400."


def test_an_order_that_was_withdrawn_is_not_counted(anna: User, run_triggers: Any, warehouse: Warehouse) -> None:
    trigger = make_trigger(
        shop("OrderPlacedEvent")(), ActionCountCondition(limit=1), shop("CallWarehouseAction")(url=warehouse.url)
    )
    place_order(anna, 40).delete()
    run_triggers()
    assert_ran(trigger, user=anna, status="skipped", code="action_declined")
    assert trigger.activities.get().action_count == 0


def test_it_ends_where_nothing_is_left_to_pay(anna: User, run_triggers: Any) -> None:
    trigger = make_trigger(shop("OrderPlacedEvent")(), shop("WaitForPaymentAction")(), shop("GivePointsAction")())
    place_order(anna, 40)
    shop("Order").objects.update(is_paid=True)
    run_triggers()
    assert assert_ran(trigger, user=anna, code="stopped").detail == "Everything is paid."
    assert not shop("Points").objects.exists()


def test_the_admin_explains_the_parts_and_leaves_out_what_it_is_told_to(admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:triggers_trigger_add"))
    (_events, _conditions, actions) = page.context["inline_admin_formsets"]
    assert "Waits some days; for a person who has nothing left to pay, the run ends here." in page.content.decode()
    forms = {form.form._meta.model.__name__: form for form in actions}
    assert "on_failure" in forms["GivePointsAction"].form.fields
    assert "on_failure" not in forms["WaitForPaymentAction"].form.fields


def test_the_request_that_is_shown_fires(db: None, run_triggers: Any, client: Client) -> None:
    person = User.objects.create_user("shop", pk=1)
    person.user_permissions.set(Permission.objects.filter(codename="fire_event"))
    client.force_login(person)
    trigger = make_trigger(shop("OrderPlacedEvent")(minimum_amount=40), shop("GivePointsAction")())
    (request,) = blocks("docs/components.md", "http")
    head, _, body = request.text.partition("\n\n")
    (method, path), *headers = (line.split(maxsplit=1) for line in head.splitlines())
    response: Any = client.generic(
        method,
        path,
        body,
        headers={name.rstrip(":"): value for name, value in headers},
        content_type="application/json",
    )
    assert response.status_code == 202, response.content
    run_triggers()
    assert_ran(trigger, user=person)


def test_the_address_of_the_warehouse_is_set_over_http_and_never_told(client: Client, admin_user: User) -> None:
    import_module("shop.serializers")
    client.force_login(admin_user)
    action = {"type": "shop.CallWarehouseAction", "url": "https://warehouse.example.com/"}
    body = {"type": "triggers.Trigger", "name": "Warehouse", "actions": [action]}

    told = client.post("/api/v1/triggers/", body, content_type="application/json").json()

    call = shop("CallWarehouseAction").objects.get()
    assert told["actions"] == [{"type": "shop.CallWarehouseAction", "id": call.pk, "on_failure": "stop"}]
    assert client.put(f"/api/v1/triggers/{told['id']}/", told, content_type="application/json").status_code == 200
    call.refresh_from_db()
    assert call.url == "https://warehouse.example.com/"
