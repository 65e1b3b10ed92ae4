"""All that is set up as one document: exported, planned, applied, and nothing touched that is so already."""

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, invalid, problem
from tests.app.models import SendEmailAction, TaskCompletedEvent
from tests.probe.models import ProbeEvent, RecordEffectAction
from tests.variety.models import Note, SeasonalTrigger, SecretAction, VariedCondition
from triggers.models import Action, ActionCountCondition, ActionFrequencyCondition, Condition, Event, Trigger
from triggers_api.configuration.sections import sections

pytestmark = pytest.mark.django_db

URL = "/api/v1/configuration/"


@pytest.fixture
def admin(client_with: StartClient) -> APIClient:
    return client_with("view_trigger", "add_trigger", "change_trigger", "delete_trigger", "enable_trigger")


@pytest.fixture(autouse=True)
def _triggers(db: None) -> None:
    a_trigger(
        SecretAction(secret="first", kind="loud"),
        SecretAction(secret="second"),
        name="Secretive",
        conditions=[ActionCountCondition(limit=1), ActionFrequencyCondition(limit=timedelta(days=1))],
    )
    a_trigger(
        SendEmailAction(subject="Well done", message="Hello\n{{ user.first_name }}\n"),
        name="Congratulate",
        event=TaskCompletedEvent(important_only=True, delay=timedelta(hours=2)),
        is_enabled=False,
    )
    SeasonalTrigger.objects.create(name="In summer", description="yes")


SECRETIVE: dict[str, Any] = {
    "type": "triggers.Trigger",
    "name": "Secretive",
    "description": "",
    "is_enabled": True,
    "engine": "",
    "events": [{"type": "probe.ProbeEvent", "delay": "P0DT00H00M00S"}],
    "conditions": [
        {"type": "triggers.ActionCountCondition", "limit": 1},
        {"type": "triggers.ActionFrequencyCondition", "limit": "P1DT00H00M00S"},
    ],
    "actions": [
        {"type": "variety.SecretAction", "manner": "loud", "on_failure": "stop"},
        {"type": "variety.SecretAction", "manner": "plain", "on_failure": "stop"},
    ],
}
CONGRATULATE: dict[str, Any] = {
    "type": "triggers.Trigger",
    "name": "Congratulate",
    "description": "",
    "is_enabled": False,
    "engine": "",
    "events": [{"type": "app.TaskCompletedEvent", "delay": "P0DT02H00M00S", "important_only": True}],
    "conditions": [],
    "actions": [
        {
            "type": "app.SendEmailAction",
            "on_failure": "stop",
            "subject": "Well done",
            "message": "Hello\n{{ user.first_name }}\n",
        }
    ],
}
IN_SUMMER: dict[str, Any] = {
    "type": "variety.SeasonalTrigger",
    "name": "In summer",
    "description": "yes",
    "is_enabled": False,
    "engine": "",
    "season": "summer",
    "events": [],
    "conditions": [],
    "actions": [],
}
ALL = [CONGRATULATE, IN_SUMMER, SECRETIVE]


def put(client: APIClient, *triggers: Any, query: str = "", **headers: str) -> Any:
    return client.put(f"{URL}{query}", {"triggers": list(triggers)}, format="json", headers=headers)


def document(*triggers: Any) -> dict[str, Any]:
    """All there is, when there is nothing but these triggers."""
    return {section.name: [] for section in sections()} | {"triggers": list(triggers)}


def changed(trigger: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return deepcopy(trigger) | fields


def stored() -> dict[str, Any]:
    """Every row of what is set up, with its keys and secrets."""
    models = {type(row) for kind in (Trigger, Event, Condition, Action) for row in kind.objects.all()}
    return {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in models}


def outcome(*changes: dict[str, Any], applied: bool = True, left: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "applied": applied,
        "changes": list(changes),
        "left": [{"section": "triggers", "name": name} for name in left],
    }


def change(action: str, name: str, before: Any, after: Any, *secrets: str) -> dict[str, Any]:
    return {
        "section": "triggers",
        "name": name,
        "action": action,
        "before": before,
        "after": after,
        "secrets": list(secrets),
    }


def test_an_export_tells_all_triggers_by_name_without_ids_and_secrets(admin: APIClient) -> None:
    response = admin.get(URL)

    assert response.status_code == 200
    assert response.json() == document(*ALL)
    assert admin.get(URL, headers={"If-None-Match": response.headers["ETag"]}).status_code == 304


def test_to_apply_an_export_changes_nothing_and_writes_nothing(admin: APIClient) -> None:
    before = stored()
    exported = admin.get(URL)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = admin.put(f"{URL}?prune=true", exported.json(), format="json")

    assert (response.status_code, response.json()) == (200, outcome())
    assert response.headers["ETag"] == exported.headers["ETag"]
    assert stored() == before
    assert not [query["sql"] for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert not LogEntry.objects.exists()


def test_what_is_written_differently_and_says_the_same_touches_no_row(admin: APIClient) -> None:
    before = stored()
    short = {
        "type": "triggers.Trigger",
        "name": "Congratulate",
        "events": [{"type": "app.TaskCompletedEvent", "important_only": True, "delay": "PT120M"}],
        "actions": CONGRATULATE["actions"],
    }

    assert put(admin, short).json() == outcome(left=("In summer", "Secretive"))
    assert stored() == before


def test_what_differs_is_changed_in_the_rows_that_there_are(admin: APIClient) -> None:
    keys = set(Condition.objects.values_list("pk", flat=True))
    wanted = changed(
        SECRETIVE, conditions=[{"type": "triggers.ActionCountCondition", "limit": 5}, SECRETIVE["conditions"][1]]
    )

    response = put(admin, CONGRATULATE, IN_SUMMER, wanted)

    assert response.json() == outcome(change("change", "Secretive", SECRETIVE, wanted))
    assert set(Condition.objects.values_list("pk", flat=True)) == keys
    assert ActionCountCondition.objects.get().limit == 5
    assert admin.get(URL).json() == document(CONGRATULATE, IN_SUMMER, wanted)
    assert [(entry.object_repr, entry.change_message) for entry in LogEntry.objects.all()] == [
        ("Secretive", "Changed by a configuration over HTTP.")
    ]


def test_a_plan_says_the_same_and_changes_nothing(admin: APIClient) -> None:
    before, tag = stored(), admin.get(URL).headers["ETag"]
    wanted = changed(CONGRATULATE, description="For those who are done.")
    new = changed(SECRETIVE, name="New", actions=[{"type": "probe.RecordEffectAction"}])

    planned = put(admin, new, wanted, query="?plan=true&prune=true")

    assert (planned.status_code, planned.headers["ETag"]) == (200, tag)
    assert planned.json()["applied"] is False
    assert stored() == before
    assert not LogEntry.objects.exists()
    done = put(admin, new, wanted, query="?prune=true", **{"If-Match": tag})
    assert done.json() == planned.json() | {"applied": True}
    assert [(each["action"], each["name"]) for each in done.json()["changes"]] == [
        ("add", "New"),
        ("change", "Congratulate"),
        ("delete", "Secretive"),
        ("delete", "In summer"),
    ]
    assert set(Trigger.objects.values_list("name", "is_enabled")) == {("New", True), ("Congratulate", False)}


def test_components_keep_their_secrets_wherever_they_move(admin: APIClient) -> None:
    keys = {action.secret: action.pk for action in SecretAction.objects.all()}
    loud, quiet = SECRETIVE["actions"]

    put(admin, changed(SECRETIVE, actions=[quiet, {"type": "probe.RecordEffectAction"}, loud]))

    assert {action.secret: (action.pk, action.kind, action.position) for action in SecretAction.objects.all()} == {
        "first": (keys["first"], "loud", 2),
        "second": (keys["second"], "plain", 0),
    }


def test_a_secret_that_is_given_is_set_and_never_told(admin: APIClient) -> None:
    loud, quiet = SECRETIVE["actions"]
    wanted = changed(SECRETIVE, actions=[loud, quiet | {"secret": "third"}])

    response = put(admin, CONGRATULATE, IN_SUMMER, wanted)

    assert response.json() == outcome(change("change", "Secretive", SECRETIVE, SECRETIVE, "/actions/1/secret"))
    assert sorted(SecretAction.objects.values_list("secret", flat=True)) == ["first", "third"]
    assert put(admin, CONGRATULATE, IN_SUMMER, wanted).json() == outcome()  # it is so already


def test_all_that_is_wrong_is_told_at_its_place_and_nothing_is_changed(admin: APIClient) -> None:
    before = stored()
    response = put(
        admin,
        changed(CONGRATULATE, description="Good"),
        changed(CONGRATULATE, description="Twice"),
        changed(IN_SUMMER, type="triggers.Trigger"),
        {"type": "triggers.Trigger", "name": "New", "actions": [{"type": "variety.SecretAction"}], "colour": "red"},
        "Secretive",
    )
    assert_problem(
        response,
        invalid(
            ("/triggers/1/name", "repeated", "“Congratulate” is in the list already."),
            (
                "/triggers/2/type",
                "type_immutable",
                "This trigger is of the type “variety.SeasonalTrigger”, which cannot change.",
            ),
            ("/triggers/3/actions/0/secret", "required", "This field is required."),
            (
                "/triggers/3/colour",
                "unknown_field",
                "There is no such field; there are type, name, description, is_enabled, engine, events, conditions, "
                "actions.",
            ),
            ("/triggers/4", "invalid", "Write an object with a type and its fields."),
        ),
    )
    assert stored() == before


def test_a_trigger_that_can_do_nothing_is_not_enabled(admin: APIClient) -> None:
    detail = (
        "The trigger “In summer” cannot be enabled as long as it has no event and no action. "
        "Add an event and an action."
    )
    assert_problem(
        put(admin, changed(CONGRATULATE, description="Good"), changed(IN_SUMMER, is_enabled=True)),
        problem(409, "trigger_incomplete", detail, [("/triggers/1", "trigger_incomplete", detail)]),
    )
    assert Trigger.objects.get(name="Congratulate").description == ""


def test_a_trigger_that_others_protect_is_not_pruned(admin: APIClient) -> None:
    Note.objects.create(trigger=Trigger.objects.get(name="In summer"))
    detail = "“In summer”: Other rows refer to the trigger and protect it: delete them, or what they refer to, first."
    assert_problem(put(admin, SECRETIVE, query="?prune=true"), problem(409, "trigger_protected", detail))
    assert Trigger.objects.count() == 3


def test_an_export_of_before_a_change_is_refused_by_its_etag(admin: APIClient) -> None:
    tag = admin.get(URL).headers["ETag"]
    put(admin, changed(IN_SUMMER, season="winter"))
    assert_problem(
        put(admin, IN_SUMMER, **{"If-Match": tag}),
        problem(
            412,
            "precondition_failed",
            "The configuration has changed since it was read. Read it again, and send its ETag of now as If-Match.",
        ),
    )
    assert SeasonalTrigger.objects.get().season == "winter"


@pytest.mark.parametrize(
    ("lacking", "triggers", "place"),
    [
        ("add_trigger", [changed(IN_SUMMER, name="New")], "/triggers/0"),
        ("change_trigger", [], None),
        ("delete_trigger", [], None),
        ("enable_trigger", [changed(SECRETIVE, is_enabled=False)], "/triggers/0"),
        ("view_trigger", [], None),
    ],
)
def test_each_thing_that_is_done_takes_its_permission(
    client_with: StartClient, lacking: str, triggers: list[Any], place: str | None
) -> None:
    every = {f"{verb}_trigger" for verb in ("view", "add", "change", "delete", "enable")}
    before = stored()
    detail = f"To do this you need the permission triggers.{lacking}."
    assert_problem(
        put(client_with(*every - {lacking}), *triggers, query="?prune=true"),
        problem(403, "permission_denied", detail, [(place, "permission_denied", detail)] if place else None),
    )
    assert stored() == before


def test_parts_that_are_not_installed_stay_and_are_not_taken_elsewhere(admin: APIClient) -> None:
    trigger = Trigger.objects.get(name="Secretive")
    ContentType.objects.filter(model="actioncountcondition").update(model="gone")
    ContentType.objects.clear_cache()
    exported = admin.get(URL).json()

    assert exported["triggers"][2]["missing"] == ["triggers.gone"]
    assert admin.put(URL, exported, format="json").json() == outcome()
    copy = changed(exported["triggers"][2], name="Elsewhere", actions=[])
    assert put(admin, copy).json()["errors"] == [
        {"pointer": "/triggers/0/missing", "code": "read_only", "detail": "This field cannot be set: leave it out."}
    ]
    assert Condition.objects.non_polymorphic().filter(trigger=trigger).count() == 2
    ContentType.objects.filter(model="gone").update(model="actioncountcondition")
    ContentType.objects.clear_cache()


def test_an_export_sets_up_an_empty_server_the_same(admin: APIClient) -> None:
    a_trigger(RecordEffectAction(), name="Varied", event=ProbeEvent(), conditions=[VariedCondition(text="text")])
    exported = admin.get(URL).json()
    for action in exported["triggers"][2]["actions"]:
        action["secret"] = "new"
    for trigger in Trigger.objects.all():
        trigger.delete()

    response = admin.put(URL, exported, format="json")

    assert response.status_code == 200, response.content
    for action in exported["triggers"][2]["actions"]:
        del action["secret"]
    assert admin.get(URL).json() == exported


def test_secrets_that_are_encrypted_are_known_again(admin: APIClient, settings: Settings) -> None:
    settings.TRIGGERS_WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    action = {
        "type": "triggers_actions.CallWebhook",
        "url": "http://127.0.0.1:9000/",
        "signing_secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "headers": "Authorization: Bearer s3cret-t0ken",
        "body": {"type": "order.paid"},
    }
    trigger = {"type": "triggers.Trigger", "name": "Webhook", "actions": [action]}

    (added,) = put(admin, trigger).json()["changes"]
    key = Action.objects.get(trigger__name="Webhook").pk

    assert added["secrets"] == ["/actions/0/signing_secret", "/actions/0/headers"]
    assert "s3cret" not in str(added)
    assert put(admin, trigger).json()["changes"] == []
    elsewhere = changed(trigger, actions=[action | {"headers": "Authorization: Bearer another"}])
    (change,) = put(admin, elsewhere).json()["changes"]
    assert (change["action"], change["secrets"]) == ("change", ["/actions/0/headers"])
    assert change["before"] == change["after"]
    exported = admin.get(URL).json()
    assert "whsec" not in str(exported)
    assert admin.put(URL, exported, format="json").json() == outcome()
    assert Action.objects.get(trigger__name="Webhook").pk == key
