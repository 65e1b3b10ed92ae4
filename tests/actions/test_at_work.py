"""Webhooks with a real worker, also one that is killed: each is counted once by a receiver that knows ids."""

from collections import Counter

import pytest
from django.contrib.auth.models import User

from tests.acceptance.scenario import a_trigger, explain, on_both_engines, outcomes, people, wait_for_runs
from tests.actions.receiver import SECRET, Call, Receiver, Request, receiving
from tests.servers.worker import StartWorker
from tests.waiting import wait_until
from triggers import fire
from triggers.contrib.actions.models import CallWebhook
from triggers.models import Run, Step, Trigger

PEOPLE = 30

pytestmark = pytest.mark.timeout(300)


def fickle(call: Call, request: Request, number: int) -> None:
    """Of three people one is answered 500 twice, one's connection breaks twice after the order was taken."""
    kind = int(request.body["data"]["user"]) % 3
    if kind == 0 and number <= 2:
        call.say(500, Retry_After="1")
    elif kind == 1 and number <= 2:
        call.drop()
    else:
        call.say(200, '{"taken": true}')


@pytest.fixture
def allowed(settings, transactional_db):
    settings.TRIGGERS_WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    settings.TRIGGERS_MAX_LOSSES = 1000  # workers die by no fault of the runs


def a_webhook(receiver: Receiver) -> Trigger:
    body = {"type": "order.paid", "data": {"user": "{{ user.id }}", "amount": "{{ context.amount }}"}}
    return a_trigger(CallWebhook(url=receiver.url, signing_secret=SECRET, body=body))


def assert_each_was_counted_once(receiver: Receiver, users: list[User]) -> None:
    taken = {request.id: request.body for request in receiver.requests}
    assert set(taken) == {f"{run.pk}:0" for run in Run.objects.all()}
    assert Counter(body["data"]["user"] for body in taken.values()) == {user.pk: 1 for user in users}
    assert all(body["data"]["amount"] == 9.5 for body in taken.values())


@on_both_engines
def test_what_was_not_taken_comes_again_with_the_same_id(allowed: None, start_worker: StartWorker) -> None:
    users = people(PEOPLE)
    with receiving(fickle) as receiver:
        a_webhook(receiver)
        start_worker(concurrency=2)
        fire("probe.ProbeEvent", users=users, context={"amount": 9.5})
        wait_for_runs(PEOPLE, timeout=120)
    assert outcomes() == {"succeeded": PEOPLE}, explain()
    assert_each_was_counted_once(receiver, users)
    assert set(receiver.times.values()) == {1, 3}
    assert {(step.result or {}).get("body") for step in Step.objects.all()} == {'{"taken": true}'}


@on_both_engines
def test_a_worker_that_is_killed_in_the_middle_repeats_with_the_same_id(
    allowed: None, start_worker: StartWorker
) -> None:
    users = people(PEOPLE)

    def answer(call: Call, request: Request, number: int) -> None:
        # The order is taken, but for a while the worker does not learn of it: it is killed then.
        call.receiver.closed.wait(0.1)
        call.say(200)

    with receiving(answer) as receiver:
        a_webhook(receiver)
        worker = start_worker(concurrency=2)
        fire("probe.ProbeEvent", users=users, context={"amount": 9.5})
        wait_until(lambda: len(receiver.times) >= PEOPLE // 3, message=explain)
        worker.kill()
        worker.start()
        wait_for_runs(PEOPLE, timeout=200)
    assert outcomes() == {"succeeded": PEOPLE}, explain()
    assert_each_was_counted_once(receiver, users)
    assert max(receiver.times.values()) > 1
