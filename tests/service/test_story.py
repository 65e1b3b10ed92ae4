"""
A shop that is not written in Python sets up, over HTTP, what happens when an order is paid: people, a type, a trigger
with an expression, a limit, an e-mail and a webhook. Then fifty orders are paid.
"""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.actions.receiver import SECRET, Call, Receiver, Request, receiving
from tests.service.caller import Service
from tests.waiting import wait_until

PEOPLE = [f"customer-{number}" for number in range(10)]
#: What each of them orders for. The expression is about the first, the limit about the last of the others.
AMOUNTS = [40, 100, 150, 200, 250]
LIMIT = 3
CLOUDEVENT = "application/cloudevents+json"


def answer(call: Call, request: Request, number: int) -> None:
    """Some orders are taken at the third time only; of others the answer is lost the first time."""
    match int(request.body["order"].rpartition("-")[2]) % 10:
        case 3 if number <= 2:
            call.say(500, "not now")
        case 7 if number == 1:
            call.drop()
        case _:
            call.say(202)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(answer) as receiver:
        yield receiver


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "folder", {"TRIGGERS_WEBHOOK_ALLOWED_HOSTS": "127.0.0.1", "TRIGGERS_LEASE": "20"})
    try:
        service.begin()
        yield service
    finally:
        service.kill()
        print(f"--- service\n{service.output}")


def set_up(service: Service, receiver: Receiver) -> str:
    """What a client of the shop does once; the id of the trigger."""
    for key in PEOPLE:
        service.registers(key, name=key.title(), attributes={"plan": "gold"})
    order_paid = {
        "name": "order.paid",
        "description": "An order has been paid.",
        "context_schema": {
            "type": "object",
            "required": ["order_id", "amount"],
            "properties": {"order_id": {"type": "string"}, "amount": {"type": "number"}},
        },
    }
    assert service.ask("event-types/", order_paid).status == 201
    trigger = {
        "type": "triggers.Trigger",
        "name": "Paid orders",
        "events": [{"type": "triggers_events.NamedEvent", "event_type": "order.paid"}],
        "conditions": [
            {
                "type": "triggers_conditions.ExpressionCondition",
                "expression": 'user.attributes.plan == "gold" && context.amount >= 100',
            },
            {"type": "triggers.ActionCountCondition", "limit": LIMIT},
        ],
        "actions": [
            {
                "type": "triggers_actions.SendEmail",
                "subject": "Order {{ context.order_id }}",
                "text": "Dear {{ user.name }}, thank you for {{ context.amount }}.",
            },
            {
                "type": "triggers_actions.CallWebhook",
                "url": receiver.url,
                "signing_secret": SECRET,
                "body": {"order": "{{ context.order_id }}", "amount": "{{ context.amount }}", "who": "{{ user.key }}"},
            },
        ],
    }
    made = service.ask("triggers/", trigger)
    assert made.status == 201, made.body
    assert service.ask(f"triggers/{made.json['id']}/enable/", method="POST").status == 200
    return str(made.json["id"])


def orders_are_paid(service: Service) -> None:
    number = 0
    for amount in AMOUNTS:
        for person in PEOPLE:
            number += 1
            event = {
                "specversion": "1.0",
                "id": f"paid-{number}",
                "source": "https://shop.example.com/orders",
                "type": "order.paid",
                "subject": person,
                "time": datetime.now(UTC).isoformat(),
                "data": {"order_id": f"order-{number}", "amount": amount},
            }
            # The shop is not sure of the answer, and sends each event twice.
            answers = [service.ask("cloudevents/", event, media_type=CLOUDEVENT) for _ in range(2)]
            assert [answer.status for answer in answers] == [202, 202], answers[0].body


def wait_for_the_end(service: Service, trigger: str) -> Counter[tuple[str, str]]:
    """How all the runs have ended, by status and code."""

    def runs() -> list[tuple[str, str]]:
        listed = service.ask(f"runs/?trigger={trigger}&limit=100").json["results"]
        return [(run["status"], run["code"]) for run in listed]

    def is_over() -> bool:
        return not {"pending", "running", "waiting"} & {status for status, _ in runs()}

    wait_until(is_over, timeout=150, message=lambda: f"{Counter(runs())}\n{service.output[-3000:]}")
    return Counter(runs())


@pytest.mark.parametrize("worker_is_killed", [False, True])
def test_fifty_orders_are_paid(service: Service, receiver: Receiver, worker_is_killed: bool) -> None:
    trigger = set_up(service, receiver)
    orders_are_paid(service)
    if worker_is_killed:
        wait_until(lambda: len(receiver.times) >= 5)
        os.kill(service.processes(command="celery")[0], signal.SIGKILL)
        service.wait_for_output("The worker ended with code -9")

    ended = wait_for_the_end(service, trigger)
    people = len(PEOPLE)
    assert ended == {
        ("succeeded", ""): LIMIT * people,
        ("skipped", "condition_failed"): people,
        ("skipped", "limit_reached"): people,
    }
    # Each webhook by its key: one for each run, the same in all attempts.
    assert len(receiver.times) == LIMIT * people
    taken = {request.id: request.body for request in receiver.requests}
    assert Counter(body["who"] for body in taken.values()) == dict.fromkeys(PEOPLE, LIMIT)
    assert len({body["order"] for body in taken.values()}) == LIMIT * people
    assert max(receiver.times.values()) >= 2
    # Each e-mail by its Message-ID; without a crash, one for each.
    ids = [line for mail in service.mails for line in mail.splitlines() if line.startswith("Message-ID:")]
    assert len(set(ids)) == LIMIT * people
    assert worker_is_killed or len(ids) == LIMIT * people
    service.stop()
