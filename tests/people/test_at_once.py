"""Several callers at the same moment: of a person who is not known yet, and of one configuration."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger
from tests.api.test_triggers_at_once import CALLERS, at_once
from tests.probe.models import RecordEffectAction
from triggers.models import Action, Run, Trigger
from triggers_api.service.people.models import Person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


def test_a_person_is_made_once_and_each_event_is_accepted() -> None:
    a_trigger(RecordEffectAction())
    keys = ["ada", "bob", "cleo"]

    def fire(client: APIClient, number: int) -> Any:
        users = keys if number % 2 else keys[::-1]
        body = {"type": "probe.ProbeEvent", "users": users, "create_users": True}
        return client.post("/api/v1/fire/", body, format="json")

    answers = at_once(fire)

    assert [answer.status_code for answer in answers] == [202] * CALLERS
    assert sorted(Person.objects.values_list("key", flat=True)) == keys
    assert Run.objects.count() == len(keys) * CALLERS


def test_a_person_is_put_once() -> None:
    def put(client: APIClient, number: int) -> Any:
        return client.put("/api/v1/users/ada/", {"name": str(number)}, format="json")

    answers = at_once(put)

    assert {answer.status_code for answer in answers} <= {200, 201}
    assert Person.objects.get().name in {str(number) for number in range(CALLERS)}


def test_of_configurations_for_the_same_state_one_is_applied() -> None:
    a_trigger(RecordEffectAction(), name="There")
    reader = at_once(lambda client, number: client.get("/api/v1/configuration/"))
    document, tag = reader[0].json(), reader[0].headers["ETag"]

    def apply(client: APIClient, number: int) -> Any:
        new = {"type": "triggers.Trigger", "name": f"New {number}", "actions": [{"type": "probe.RecordEffectAction"}]}
        body = {"triggers": [*document["triggers"], new]}
        return client.put("/api/v1/configuration/", body, format="json", headers={"if-match": tag})

    answers = at_once(apply)

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * (CALLERS - 1)
    assert (Trigger.objects.count(), Action.objects.count()) == (2, 2)


def test_a_configuration_that_all_apply_is_applied_once() -> None:
    new = {"type": "triggers.Trigger", "name": "New", "actions": [{"type": "probe.RecordEffectAction"}]}

    answers = at_once(lambda client, number: client.put("/api/v1/configuration/", {"triggers": [new]}, format="json"))

    assert {answer.status_code for answer in answers} <= {200, 400, 409}
    assert sum(bool(answer.status_code == 200 and answer.json()["changes"]) for answer in answers) == 1
    assert (Trigger.objects.count(), Action.objects.count()) == (1, 1)
