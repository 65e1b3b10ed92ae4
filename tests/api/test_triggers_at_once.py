"""Two callers who change the same trigger, or take the same name, at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from rest_framework.test import APIClient

from tests.api.problems import invalid, problem
from triggers.models import Trigger

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]

URL = "/api/v1/triggers/"
CALLERS = 4


def at_once(call: Callable[[APIClient, int], Any]) -> list[Any]:
    """The answers to callers who all call at the same moment."""
    user = User.objects.filter(username="root").first() or User.objects.create_superuser("root")
    start = Barrier(CALLERS)

    def one(number: int) -> Any:
        client = APIClient()
        client.force_authenticate(user)
        start.wait()
        try:
            return call(client, number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(CALLERS) as callers:
        return list(callers.map(one, range(CALLERS)))


def test_of_changes_to_the_same_state_one_is_made() -> None:
    trigger = Trigger.objects.create(name="Contested")
    address = f"{URL}{trigger.pk}/"
    reader = APIClient()
    reader.force_authenticate(User.objects.create_superuser("reader"))
    tag = reader.get(address).headers["ETag"]

    def change(client: APIClient, number: int) -> Any:
        body = {"description": str(number), "conditions": [{"type": "triggers.ActionCountCondition"}]}
        return client.patch(address, body, format="json", headers={"if-match": tag})

    answers = at_once(change)

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * (CALLERS - 1)
    (winner,) = [answer for answer in answers if answer.status_code == 200]
    assert reader.get(address).json() == winner.json()
    assert len(winner.json()["conditions"]) == 1


def test_a_name_is_taken_by_one() -> None:
    body = {"type": "triggers.Trigger", "name": "Contested", "actions": [{"type": "probe.RecordEffectAction"}]}

    answers = at_once(lambda client, number: client.post(URL, body, format="json"))

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * (CALLERS - 1)
    taken = invalid(("/name", "unique", "trigger with this name already exists."))
    assert [answer.json() for answer in answers if answer.status_code == 400] == [taken] * (CALLERS - 1)
    assert Trigger.objects.get().actions.count() == 1


def test_enabling_and_emptying_leave_no_enabled_trigger_without_an_action() -> None:
    trigger = Trigger.objects.create(name="Contested")
    address = f"{URL}{trigger.pk}/"
    parts = {"events": [{"type": "probe.ProbeEvent"}], "actions": [{"type": "probe.RecordEffectAction"}]}
    writer = APIClient()
    writer.force_authenticate(User.objects.create_superuser("writer"))
    assert writer.patch(address, parts, format="json").status_code == 200

    def call(client: APIClient, number: int) -> Any:
        if number % 2:
            return client.post(f"{address}enable/")
        return client.patch(address, {"actions": []}, format="json")

    answers = at_once(call)

    trigger.refresh_from_db()
    assert trigger.is_enabled == trigger.actions.exists()
    lacking = "The trigger “Contested” cannot be enabled as long as it has no action. Add one."
    refused = problem(409, "trigger_incomplete", lacking)
    assert all(answer.json() == refused for answer in answers if answer.status_code != 200)
    assert any(answer.status_code == 409 for answer in answers)
