"""``POST fire/batch/``: many events, all of them or none."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.acceptance.scenario import people
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, database, invalid, problem
from tests.app.models import TaskCompletedEvent
from triggers.models import Occurrence, Run, Trigger

pytestmark = pytest.mark.django_db

URL = "/api/v1/fire/batch/"
TYPE = "app.TaskCompletedEvent"


def item(user: User, **fields: Any) -> dict[str, Any]:
    return {"type": TYPE, "user": str(user.pk)} | fields


def fire(client: APIClient, *items: Any) -> Any:
    return client.post(URL, {"items": list(items)}, format="json")


def test_every_item_is_answered_as_if_it_had_been_fired_alone(client: APIClient, trigger: Trigger) -> None:
    anna, bert = people(2)

    response = fire(client, item(bert, context={"a": 1}), item(anna), {"type": "probe.ProbeEvent", "user": anna.pk})

    assert response.status_code == 202
    answers = response.json()["occurrences"]
    assert [answer.pop("replayed") for answer in answers] == [False] * 3
    assert [[run["user"] for run in answer["runs"]] for answer in answers] == [[str(bert.pk)], [str(anna.pk)], []]
    assert [client.get(f"/api/v1/occurrences/{answer['id']}/").json() for answer in answers] == answers
    assert Run.objects.count() == 2


def test_an_item_with_a_key_is_fired_once(client: APIClient, anna: User, trigger: Trigger) -> None:
    first = fire(client, item(anna, idempotency_key="b"), item(anna, idempotency_key="a"), item(anna))
    before = database()

    second = fire(client, item(anna, idempotency_key="a"), item(anna, idempotency_key="b"))

    assert second.status_code == 202
    b, a, _ = first.json()["occurrences"]
    assert second.json()["occurrences"] == [a | {"replayed": True}, b | {"replayed": True}]
    assert database() == before
    # Keys of single events and of items are the same keys.
    alone = client.post("/api/v1/fire/", item(anna), format="json", headers={"Idempotency-Key": "a"})
    assert (alone.json()["id"], alone.headers["Idempotent-Replayed"]) == (a["id"], "true")


def test_of_two_items_with_one_key_the_second_is_replayed(client: APIClient, anna: User, trigger: Trigger) -> None:
    response = fire(client, item(anna, idempotency_key="a"), item(anna, idempotency_key="a"))

    first, second = response.json()["occurrences"]
    assert second == first | {"replayed": True}
    assert Run.objects.count() == 1


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "an unknown type": (
        {"type": "app.NoSuchEvent"},
        problem(
            400,
            "event_type_unknown",
            "No installed event type is called “app.NoSuchEvent”.",
            [("/items/1/type", "event_type_unknown", "No installed event type is called “app.NoSuchEvent”.")],
        ),
    ),
    "an unknown user": (
        {"user": "987654"},
        problem(
            400,
            "users_unknown",
            "The user does not exist.",
            [("/items/1/user", "users_unknown", "The user does not exist.")],
        ),
    ),
    "a reserved key": (
        {"context": {"user": 1}},
        problem(
            400,
            "context_key_reserved",
            "“user” is set by dj-triggers; use another name for it in the context.",
            [
                (
                    "/items/1/context/user",
                    "context_key_reserved",
                    "“user” is set by dj-triggers; use another name for it in the context.",
                )
            ],
        ),
    ),
    "a negative delay": (
        {"delay": "-PT1S"},
        problem(
            400,
            "timing_invalid",
            "The delay must not be negative.",
            [("/items/1/delay", "timing_invalid", "The delay must not be negative.")],
        ),
    ),
    "a malformed user": (
        {"user": "anna"},
        invalid(("/items/1/user", "user_invalid", "'anna' cannot be the primary key of a user.")),
    ),
    "an unknown field": (
        {"key": "a"},
        invalid(
            (
                "/items/1/key",
                "unknown_field",
                "There is no such field; there are type, event, user, users, audience, context, occurred_at, delay, "
                "scheduled_at, idempotency_key.",
            )
        ),
    ),
    "a bad key": (
        {"idempotency_key": "schlüssel"},
        invalid(("/items/1/idempotency_key", "key_invalid", "The key must be of printable ASCII characters.")),
    ),
    "a long key": (
        {"idempotency_key": "k" * 256},
        invalid(("/items/1/idempotency_key", "key_invalid", "The key must be a text of 1 to 255 characters.")),
    ),
    "a blank key": (
        {"idempotency_key": ""},
        invalid(("/items/1/idempotency_key", "blank", "This field may not be blank.")),
    ),
}


@pytest.mark.parametrize(("change", "expected"), REFUSED.values(), ids=REFUSED.keys())
def test_with_one_bad_item_nothing_is_fired(
    client: APIClient, anna: User, trigger: Trigger, change: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = database()

    assert_problem(fire(client, item(anna), item(anna) | change, item(anna)), expected)
    assert database() == before


def test_what_is_wrong_with_the_batch_itself_is_told(client: APIClient, anna: User) -> None:
    before = database()
    for items, errors in [
        ([], [("/items", "empty", "This list may not be empty.")]),
        ([item(anna)] * 101, [("/items", "max_length", "Ensure this field has no more than 100 elements.")]),
        ({}, [("/items", "not_a_list", 'Expected a list of items but got type "dict".')]),
        (None, [("/items", "null", "This field may not be null.")]),
    ]:
        assert_problem(client.post(URL, {"items": items}, format="json"), invalid(*errors))
    assert_problem(client.post(URL, {}, format="json"), invalid(("/items", "required", "This field is required.")))
    assert_problem(
        client.post(URL, [], format="json"), problem(400, "json_not_an_object", "The body is not a JSON object.")
    )
    body = fire(client, 1, "a", [], item(anna), None).json()
    assert [error["pointer"] for error in body["errors"]] == ["/items/0", "/items/1", "/items/2", "/items/4"]
    assert database() == before


def test_an_event_of_a_disabled_trigger_spoils_the_batch(client: APIClient, anna: User, trigger: Trigger) -> None:
    Trigger.objects.update(is_enabled=False)
    before = database()

    response = fire(client, item(anna), {"event": trigger.events.get().pk, "user": anna.pk})

    detail = "The trigger “Congratulate” is not enabled."
    assert_problem(response, problem(409, "trigger_disabled", detail, [("/items/1/event", "trigger_disabled", detail)]))
    assert database() == before


def test_a_key_of_other_content_spoils_the_batch(client: APIClient, anna: User) -> None:
    fire(client, item(anna, idempotency_key="a"))
    recorded_at = Occurrence.objects.get().recorded_at.isoformat()
    before = database()

    response = fire(client, item(anna), item(anna, idempotency_key="a", context={"a": 1}))

    detail = f"The key “a” was used on {recorded_at} for other content."
    errors = [("/items/1/idempotency_key", "key_conflict", detail)]
    assert_problem(response, problem(422, "key_conflict", detail, errors))
    assert database() == before


def test_an_item_to_all_takes_its_permission(client: APIClient, client_with: StartClient, anna: User) -> None:
    to_all = {"type": TYPE, "audience": "all"}
    before = database()

    response = fire(client, item(anna), to_all)

    detail = "To fire an event to all you need the permission triggers.fire_event_to_all."
    errors = [("/items/1/audience", "permission_denied", detail)]
    assert_problem(response, problem(403, "permission_denied", detail, errors))
    assert database() == before
    assert fire(client_with("fire_event", "fire_event_to_all", username="other"), to_all).status_code == 202


def test_a_key_for_the_whole_batch_is_refused(client: APIClient, anna: User) -> None:
    response = client.post(URL, {"items": [item(anna)]}, format="json", headers={"Idempotency-Key": "a"})

    detail = "Idempotency-Key: Give each item an idempotency_key of its own instead."
    assert_problem(response, problem(400, "key_invalid", detail))
    assert not Occurrence.objects.exists()


def test_firing_a_batch_needs_a_permission(client_with: StartClient, anna: User) -> None:
    response = fire(client_with("view_run"), item(anna))

    detail = "To fire events you need the permission triggers.fire_event."
    assert_problem(response, problem(403, "permission_denied", detail))


@pytest.mark.django_db(transaction=True)
def test_batches_with_the_same_keys_in_another_order_do_not_block_each_other(
    client: APIClient, anna: User, trigger: Trigger
) -> None:
    items = [item(anna, idempotency_key=f"key {number}") for number in range(10)]

    def fire_in_thread(number: int) -> Any:
        try:
            return fire(client, *(items if number % 2 else reversed(items)))
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        responses = list(threads.map(fire_in_thread, range(12)))

    assert [response.status_code for response in responses] == [202] * 12
    assert Occurrence.objects.count() == Run.objects.count() == 10


def test_the_answer_costs_the_same_however_many_the_items(client: APIClient, trigger: Trigger) -> None:
    """What each item costs is what fire() costs: the definition, the user, the occurrence, the run, who may wait."""
    users = people(20)
    TaskCompletedEvent.objects.get()
    fire(client, item(users[0]))  # content types are read once per process
    statements = []
    for number in (1, 11):
        with CaptureQueriesContext(connection) as captured:
            assert fire(client, *(item(user) for user in users[:number])).status_code == 202
        statements.append(len(captured))

    one, eleven = statements
    assert one <= 23
    assert (eleven - one) / 10 <= 14
