"""Setting triggers up over HTTP: told whole, changed whole, nobody's change lost."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, database, invalid, problem
from tests.app.models import HasUncompletedTaskCondition, SendEmailAction, TaskCompletedEvent
from tests.probe.models import ProbeEvent, RecordEffectAction, UsernameCondition
from tests.variety.models import Note, VariedCondition
from triggers import fire
from triggers.models import Action, ActionCountCondition, ActionFrequencyCondition, Condition, Event, Run, Trigger
from triggers.running import advance

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers/"
EMAIL = {"type": "app.SendEmailAction", "subject": "Well done", "message": "Hello {{ user.first_name }}"}
WHOLE: dict[str, Any] = {
    "type": "triggers.Trigger",
    "name": "Congratulate",
    "description": "For those who are done.",
    "engine": "celery",
    "events": [{"type": "app.TaskCompletedEvent", "important_only": True, "delay": "P1DT00H00M00S"}],
    "conditions": [
        {"type": "app.HasUncompletedTaskCondition"},
        {"type": "triggers.ActionFrequencyCondition", "limit": "P7DT00H00M00S"},
    ],
    "actions": [EMAIL | {"on_failure": "continue"}, EMAIL | {"subject": "Once more", "on_failure": "stop"}],
}


@pytest.fixture
def admin(client_with: StartClient) -> APIClient:
    """May do with triggers whatever there is to do."""
    return client_with("add_trigger", "change_trigger", "delete_trigger", "view_trigger", "enable_trigger")


def created(admin: APIClient, **fields: Any) -> dict[str, Any]:
    response = admin.post(URL, WHOLE | fields, format="json")
    assert response.status_code == 201, response.content.decode()
    body: dict[str, Any] = response.json()
    return body


def path(body: dict[str, Any]) -> str:
    return f"{URL}{body['id']}/"


def test_a_trigger_is_created_with_its_components_and_is_not_enabled_yet(admin: APIClient) -> None:
    response = admin.post(URL, WHOLE, format="json")

    trigger = Trigger.objects.get()
    event = TaskCompletedEvent.objects.get()
    tasks, frequency = Condition.objects.order_by("pk")
    first, second = SendEmailAction.objects.order_by("position")
    assert response.status_code == 201
    assert response.headers["Location"] == f"{URL}{trigger.pk}/"
    assert response.json() == {
        "type": "triggers.Trigger",
        "id": trigger.pk,
        "name": "Congratulate",
        "description": "For those who are done.",
        "is_enabled": False,
        "engine": "celery",
        "events": [
            {"type": "app.TaskCompletedEvent", "id": event.pk, "delay": "P1DT00H00M00S", "important_only": True}
        ],
        "conditions": [
            {"type": "app.HasUncompletedTaskCondition", "id": tasks.pk},
            {"type": "triggers.ActionFrequencyCondition", "id": frequency.pk, "limit": "P7DT00H00M00S"},
        ],
        "actions": [
            EMAIL | {"id": first.pk, "on_failure": "continue"},
            EMAIL | {"id": second.pk, "subject": "Once more", "on_failure": "stop"},
        ],
        "missing": [],
    }
    assert event.trigger == trigger
    assert event.delay == timedelta(days=1)
    assert [first.position, second.position] == [0, 1]
    assert isinstance(tasks, HasUncompletedTaskCondition)
    assert isinstance(frequency, ActionFrequencyCondition)

    again = admin.get(response.headers["Location"])

    assert (again.status_code, again.json()) == (200, response.json())
    assert again.headers["ETag"] == response.headers["ETag"]


def test_what_is_left_out_of_a_new_trigger_has_its_default(admin: APIClient) -> None:
    response = admin.post(URL, {"type": "triggers.Trigger", "name": "Bare"}, format="json")

    assert response.json() == {
        "type": "triggers.Trigger",
        "id": Trigger.objects.get().pk,
        "name": "Bare",
        "description": "",
        "is_enabled": False,
        "engine": "",
        "events": [],
        "conditions": [],
        "actions": [],
        "missing": [],
    }


def test_a_put_of_what_was_read_changes_nothing(admin: APIClient) -> None:
    body = created(admin)
    tag = admin.get(path(body)).headers["ETag"]
    before = LogEntry.objects.count()

    response = admin.put(path(body), body, format="json", headers={"if-match": tag})

    assert (response.status_code, response.json(), response.headers["ETag"]) == (200, body, tag)
    assert LogEntry.objects.count() == before


def test_a_put_replaces_updates_adds_and_deletes_components(admin: APIClient) -> None:
    body = created(admin)
    first, second = body["actions"]
    new = {"type": "probe.RecordEffectAction", "label": "new"}
    changed = {
        "type": "triggers.Trigger",
        "name": "Renamed",
        "events": [{"type": "app.TaskCompletedEvent", "id": body["events"][0]["id"]}],
        "conditions": [],
        "actions": [new, second | {"subject": "Now first"}],
    }

    response = admin.put(path(body), changed, format="json")

    record = RecordEffectAction.objects.get()
    assert response.status_code == 200
    assert response.json() == {
        "type": "triggers.Trigger",
        "id": body["id"],
        "name": "Renamed",
        "description": "",
        "is_enabled": False,
        "engine": "",
        "events": [body["events"][0] | {"important_only": False, "delay": "P0DT00H00M00S"}],
        "conditions": [],
        "actions": [
            new | {"id": record.pk, "on_failure": "stop"},
            second | {"subject": "Now first"},
        ],
        "missing": [],
    }
    assert not Condition.objects.exists()
    assert not Action.objects.filter(pk=first["id"]).exists()


def test_a_patch_leaves_alone_what_it_does_not_name(admin: APIClient) -> None:
    body = created(admin)
    second = body["actions"][1]

    response = admin.patch(path(body), {"actions": [second]}, format="json")

    assert (response.status_code, response.json()) == (200, body | {"actions": [second]})
    assert [action.position for action in Action.objects.all()] == [0]

    response = admin.patch(path(body), {"name": "Renamed"}, format="json")

    assert (response.status_code, response.json()) == (200, body | {"actions": [second], "name": "Renamed"})


def test_a_patch_does_not_make_the_fields_of_components_optional(admin: APIClient) -> None:
    body = created(admin)
    before = database()

    response = admin.patch(
        path(body), {"actions": [{"type": "app.SendEmailAction", "subject": "No message"}]}, format="json"
    )

    assert_problem(response, invalid(("/actions/0/message", "required", "This field is required.")))
    assert database() == before


def test_the_order_of_the_list_is_the_order_of_the_actions(admin: APIClient, anna: User) -> None:
    labels = ["c", "a", "b"]
    actions = [{"type": "probe.RecordEffectAction", "label": label} for label in labels]
    body = created(admin, events=[{"type": "probe.ProbeEvent"}], conditions=[], actions=actions)
    reordered = [body["actions"][index] for index in (2, 0, 1)]

    admin.patch(path(body), {"actions": reordered}, format="json")

    assert [action["label"] for action in admin.get(path(body)).json()["actions"]] == ["b", "c", "a"]
    admin.post(f"{path(body)}enable/")
    fire(ProbeEvent, users=anna)
    advance([Run.objects.get().pk])
    assert [step.action_id for step in Run.objects.get().steps.all()] == [action["id"] for action in reordered]


def test_a_trigger_is_deleted(admin: APIClient) -> None:
    body = created(admin)

    response = admin.delete(path(body))

    assert (response.status_code, response.content) == (204, b"")
    assert not Trigger.objects.exists()
    assert not Event.objects.exists()
    assert admin.get(path(body)).status_code == 404


def test_a_trigger_that_other_rows_protect_is_not_deleted(admin: APIClient, trigger: Trigger) -> None:
    note = Note.objects.create(trigger=trigger)
    before = database()

    response = admin.delete(f"{URL}{trigger.pk}/")

    detail = "Other rows refer to the trigger and protect it: delete them, or what they refer to, first."
    assert_problem(response, problem(409, "trigger_protected", detail))
    assert database() == before
    assert not LogEntry.objects.exists()
    note.delete()
    assert admin.delete(f"{URL}{trigger.pk}/").status_code == 204


def test_what_only_the_database_knows_to_be_wrong_is_refused(admin: APIClient) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX one_description ON triggers_trigger (description)")
    created(admin)
    before = database()

    response = admin.post(URL, WHOLE | {"name": "Other"}, format="json")

    detail = "A constraint of the database does not admit the change."
    assert_problem(response, problem(409, "constraint_violated", detail))
    assert database() == before


def test_a_change_that_another_change_came_before_is_refused(admin: APIClient) -> None:
    body = created(admin)
    stale = admin.get(path(body)).headers["ETag"]
    admin.patch(path(body), {"description": "Changed meanwhile."}, format="json")
    before = database()
    detail = "The trigger has changed since it was read. Read it again, and send its ETag of now as If-Match."
    expected = problem(412, "precondition_failed", detail)
    headers = {"if-match": stale}

    assert_problem(admin.put(path(body), body, format="json", headers=headers), expected)
    assert_problem(admin.patch(path(body), {"name": "Mine"}, format="json", headers=headers), expected)
    assert_problem(admin.delete(path(body), headers=headers), expected)
    assert_problem(admin.post(f"{path(body)}enable/", headers=headers), expected)

    assert database() == before
    current = admin.get(path(body)).headers["ETag"]
    assert (
        admin.patch(path(body), {"name": "Mine"}, format="json", headers={"if-match": f'"x", {current}'}).status_code
        == 200
    )
    assert admin.delete(path(body), headers={"if-match": "*"}).status_code == 204


def test_every_change_of_a_component_changes_the_etag(admin: APIClient) -> None:
    body = created(admin)
    tags = [admin.get(path(body)).headers["ETag"]]
    for change in (
        lambda: SendEmailAction.objects.filter(position=1).update(subject="Other"),
        lambda: Action.objects.filter(position=0).update(position=5),
        lambda: ActionCountCondition.objects.create(trigger_id=body["id"]),
        lambda: Event.objects.update(delay=timedelta(1.5)),
        lambda: Trigger.objects.update(is_enabled=True),
    ):
        change()
        tags.append(admin.get(path(body)).headers["ETag"])
    assert len(set(tags)) == 6


def test_an_unchanged_trigger_is_not_sent_again(admin: APIClient) -> None:
    body = created(admin)
    tag = admin.get(path(body)).headers["ETag"]

    response = admin.get(path(body), headers={"if-none-match": f'"other", W/{tag}'})

    assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", tag)
    assert admin.get(path(body), headers={"if-none-match": '"other"'}).status_code == 200


def test_a_complete_trigger_is_enabled_and_disabled(admin: APIClient) -> None:
    body = created(admin)

    response = admin.post(f"{path(body)}enable/")

    assert (response.status_code, response.json()) == (200, body | {"is_enabled": True})
    assert response.headers["ETag"] == admin.get(path(body)).headers["ETag"]
    assert admin.post(f"{path(body)}enable/").status_code == 200

    response = admin.post(f"{path(body)}disable/")

    assert (response.status_code, response.json()) == (200, body)


@pytest.mark.parametrize(
    ("fields", "lacking"),
    [
        ({"events": []}, "no event. Add one."),
        ({"actions": []}, "no action. Add one."),
        ({"events": [], "actions": []}, "no event and no action. Add an event and an action."),
    ],
)
def test_an_incomplete_trigger_is_not_enabled(admin: APIClient, fields: dict[str, Any], lacking: str) -> None:
    body = created(admin, **fields)
    before = database()

    response = admin.post(f"{path(body)}enable/")

    detail = f"The trigger “Congratulate” cannot be enabled as long as it has {lacking}"
    assert_problem(response, problem(409, "trigger_incomplete", detail))
    assert database() == before


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_enabled_trigger_stays_complete(admin: APIClient, method: str) -> None:
    body = created(admin)
    admin.post(f"{path(body)}enable/")
    body = admin.get(path(body)).json()
    before = database()

    response = getattr(admin, method)(path(body), body | {"actions": []}, format="json")

    detail = "The trigger “Congratulate” cannot be enabled as long as it has no action. Add one."
    assert_problem(response, problem(409, "trigger_incomplete", detail))
    assert database() == before


def test_what_is_done_is_written_into_the_triggers_history(admin: APIClient) -> None:
    body = created(admin)
    admin.patch(path(body), {"name": "Renamed"}, format="json")
    admin.patch(path(body), {"name": "Renamed"}, format="json")
    admin.post(f"{path(body)}enable/")
    admin.post(f"{path(body)}enable/")
    admin.post(f"{path(body)}disable/")
    admin.delete(path(body))

    entries = LogEntry.objects.order_by("pk")
    assert [(entry.action_flag, entry.change_message, entry.object_repr) for entry in entries] == [
        (1, "Added over HTTP.", "Congratulate"),
        (2, "Changed over HTTP.", "Renamed"),
        (2, "Enabled over HTTP.", "Renamed"),
        (2, "Disabled over HTTP.", "Renamed"),
        (3, "Deleted over HTTP.", "Renamed"),
    ]
    assert {(entry.user.username, entry.object_id) for entry in entries} == {("caller", str(body["id"]))}


@pytest.mark.parametrize(
    ("method", "suffix", "permission"),
    [
        ("get", "", "view_trigger"),
        ("put", "", "change_trigger"),
        ("patch", "", "change_trigger"),
        ("delete", "", "delete_trigger"),
        ("post", "enable/", "enable_trigger"),
        ("post", "disable/", "enable_trigger"),
    ],
)
def test_each_operation_has_its_permission(
    client_with: StartClient, trigger: Trigger, method: str, suffix: str, permission: str
) -> None:
    every = ["add_trigger", "change_trigger", "delete_trigger", "view_trigger", "enable_trigger"]
    others = client_with(*(name for name in every if name != permission))
    before = database()

    response = getattr(others, method)(f"{URL}{trigger.pk}/{suffix}")

    what = "enable and disable triggers" if suffix else "do this"
    detail = f"To {what} you need the permission triggers.{permission}."
    assert_problem(response, problem(403, "permission_denied", detail))
    assert database() == before
    permitted = client_with(permission, username="permitted")
    assert getattr(permitted, method)(f"{URL}{trigger.pk}/{suffix}", {}, format="json").status_code in (200, 204, 400)


def test_listing_and_creating_have_permissions(client_with: StartClient) -> None:
    nobody = client_with()

    for response, permission in (
        (nobody.get(URL), "view_trigger"),
        (nobody.post(URL, WHOLE, format="json"), "add_trigger"),
    ):
        detail = f"To do this you need the permission triggers.{permission}."
        assert_problem(response, problem(403, "permission_denied", detail))
    assert not Trigger.objects.exists()


@pytest.mark.parametrize("id", ["0", "987654", str(10**30), "abc", "-1", "1.0", "%00"])
def test_what_is_not_there_is_not_found(admin: APIClient, id: str) -> None:
    for response in (
        admin.get(f"{URL}{id}/"),
        admin.put(f"{URL}{id}/", WHOLE, format="json"),
        admin.delete(f"{URL}{id}/"),
        admin.post(f"{URL}{id}/enable/"),
    ):
        assert_problem(response, problem(404, "not_found", "Not found."))


# Lists


def three_triggers() -> list[Trigger]:
    first = a_trigger(RecordEffectAction(), name="Bees", is_enabled=True)
    second = a_trigger(RecordEffectAction(), conditions=[UsernameCondition(prefix="a")], name="ants", is_enabled=False)
    third = Trigger.objects.create(name="Cats", description="No ants here", is_enabled=True)
    TaskCompletedEvent.objects.create(trigger=third)
    return [first, second, third]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["Cats", "ants", "Bees"]),
        ("order=id", ["Bees", "ants", "Cats"]),
        ("search=ant", ["Cats", "ants"]),
        ("search=BEE", ["Bees"]),
        ("enabled=true", ["Cats", "Bees"]),
        ("enabled=false", ["ants"]),
        ("component_type=probe.UsernameCondition", ["ants"]),
        ("component_type=probe.RecordEffectAction", ["ants", "Bees"]),
        ("component_type=app.TaskCompletedEvent", ["Cats"]),
        ("event_type=probe.ProbeEvent", ["ants", "Bees"]),
        ("event_type=probe.ProbeEvent&enabled=true", ["Bees"]),
        ("event_type=app.ClockEvent", []),
    ],
)
def test_triggers_are_listed_filtered_and_ordered(admin: APIClient, query: str, names: list[str]) -> None:
    three_triggers()

    response = admin.get(f"{URL}?{query}")

    assert response.status_code == 200
    assert response.json()["next"] is None
    assert [trigger["name"] for trigger in response.json()["results"]] == names


def test_a_list_tells_each_trigger_as_its_own_page_does(admin: APIClient) -> None:
    three_triggers()

    results = admin.get(URL).json()["results"]

    assert results == [admin.get(f"{URL}{trigger['id']}/").json() for trigger in results]


@pytest.mark.parametrize("order", ["id", "-id", "name", "-name"])
def test_pages_leave_nobody_out_and_repeat_nobody(admin: APIClient, order: str) -> None:
    for number in range(7):
        Trigger.objects.create(name=f"{number * 3 % 7}, &?")
    expected = [trigger.pk for trigger in Trigger.objects.order_by(order)]

    found, address = [], f"{URL}?limit=2&order={order}"
    while address:
        page = admin.get(address).json()
        found += [trigger["id"] for trigger in page["results"]]
        address = page["next"]

    assert found == expected


@pytest.mark.parametrize(
    ("query", "parameter", "code", "detail"),
    [
        ("enabled=True", "enabled", "invalid_choice", "Write true or false."),
        ("order=created", "order", "invalid_choice", "Write one of id, -id, name, -name."),
        (
            "component_type=app.Nothing",
            "component_type",
            "type_unknown",
            "No component of the type “app.Nothing” is installed.",
        ),
        (
            "event_type=app.SendEmailAction",
            "event_type",
            "type_unknown",
            "No component of the type “app.SendEmailAction” is installed.",
        ),
        ("cursor=7", "cursor", "invalid", "This is no cursor of a page before, in the order “-id”."),
        ("cursor=-id:x", "cursor", "invalid", "This is no cursor of a page before, in the order “-id”."),
        ("cursor=-id:²", "cursor", "invalid", "This is no cursor of a page before, in the order “-id”."),
        ("cursor=-id:", "cursor", "invalid", "This is no cursor of a page before, in the order “-id”."),
        ("cursor=-id:7&order=name", "cursor", "invalid", "This is no cursor of a page before, in the order “name”."),
        ("limit=0", "limit", "invalid", "Write a whole number from 1 to 100."),
        ("search=%00", "search", "text_invalid", "The text holds the character U+0000."),
        (
            "name=x",
            "name",
            "unknown_parameter",
            "There is no such parameter; there are limit, search, enabled, component_type, event_type, order, cursor.",
        ),
    ],
)
def test_a_bad_query_is_refused(admin: APIClient, query: str, parameter: str, code: str, detail: str) -> None:
    response = admin.get(f"{URL}?{query}")

    expected = problem(
        400, "query_invalid", "The query is not valid: errors says where.", [(f"/{parameter}", code, detail)]
    )
    assert_problem(response, expected)


def test_the_size_of_a_page_is_the_settings(admin: APIClient, settings: Settings) -> None:
    three_triggers()
    settings.TRIGGERS_API_PAGE_SIZE = 2

    page = admin.get(URL).json()

    assert len(page["results"]) == 2
    assert page["next"] == f"{URL}?cursor=-id%3A{page['results'][1]['id']}"


def test_a_page_costs_the_same_however_long_it_is(admin: APIClient) -> None:
    def cost(count: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(admin.get(f"{URL}?limit={count}").json()["results"]) == count
        return len(queries)

    for number in range(50):
        varied = VariedCondition(person=User.objects.create_user(f"user{number}"))
        a_trigger(RecordEffectAction(), conditions=[varied], name=f"Trigger {number}")
        varied.groups.add(Group.objects.create(name=f"group{number}"))
    cost(5)  # content types are read once

    assert cost(5) == cost(50)
    assert cost(50) <= 12
