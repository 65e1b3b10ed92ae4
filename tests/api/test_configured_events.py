"""``POST fire/`` with the id of one configured event, and to audiences by name."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger, people
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, database, problem
from tests.api.records import match
from tests.app.models import Task, TaskCompletedEvent
from tests.probe.models import PickyEvent, ProbeEvent, RecordEffectAction
from triggers.expansion import expand
from triggers.models import Action, AudienceChunk, Event, Occurrence, Run, Trigger
from triggers_api.keys import secret
from triggers_api.keys.models import ApiKey

pytestmark = pytest.mark.django_db

URL = "/api/v1/fire/"
TYPE = "app.TaskCompletedEvent"


def fire(client: APIClient, *, key: str | None = None, **body: Any) -> Any:
    return client.post(URL, body, format="json", headers={} if key is None else {"Idempotency-Key": key})


def forget_class_of(component: Any) -> None:
    gone, _ = ContentType.objects.get_or_create(app_label="legacy", model="forgotten")
    type(component)._base_manager.filter(pk=component.pk).update(polymorphic_ctype=gone)


def test_one_configured_event_happens_and_no_other_of_its_type(client: APIClient, anna: User, trigger: Trigger) -> None:
    other = a_trigger(RecordEffectAction(), event=TaskCompletedEvent())

    response = fire(client, event=other.events.get().pk, user=anna.pk)

    assert response.status_code == 202
    body = response.json()
    assert (body["type"], body["event"]) == (TYPE, other.events.get().pk)
    assert (body["matched"], body["skipped"]) == ([match(other)], [])
    assert [(run["user"], run["trigger"]) for run in body["runs"]] == [(str(anna.pk), other.pk)]
    assert client.get(response.headers["Location"]).json() == body


def test_one_user_is_as_a_list_of_one(client: APIClient, anna: User, trigger: Trigger) -> None:
    first = fire(client, type=TYPE, user=str(anna.pk), key="k")
    second = fire(client, type=TYPE, users=[anna.pk], key="k")

    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json() == first.json()


def disabled(trigger: Trigger) -> None:
    Trigger.objects.filter(pk=trigger.pk).update(is_enabled=False)


def without_action(trigger: Trigger) -> None:
    Action.objects.filter(trigger=trigger).delete()


def with_a_forgotten_action(trigger: Trigger) -> None:
    forget_class_of(trigger.actions.get())


OBSTACLES = pytest.mark.parametrize(
    ("spoil", "code", "detail"),
    [
        (disabled, "trigger_disabled", "The trigger “Congratulate” is not enabled."),
        (without_action, "trigger_incomplete", "The trigger “Congratulate” has no action."),
        (
            with_a_forgotten_action,
            "component_missing",
            "The trigger “Congratulate” has a part whose class is not installed: legacy.forgotten.",
        ),
        (forget_class_of, "component_missing", "The class of the event's trigger is not installed."),
    ],
)


@OBSTACLES
def test_an_event_whose_trigger_cannot_start_is_refused(
    client: APIClient, anna: User, trigger: Trigger, spoil: Callable[[Trigger], None], code: str, detail: str
) -> None:
    spoil(trigger)
    before = database()

    response = fire(client, event=trigger.events.get().pk, user=anna.pk, key="k")

    assert_problem(response, problem(409, code, detail, [("/event", code, detail)]))
    assert database() == before


@OBSTACLES
def test_a_repeat_is_answered_though_the_trigger_cannot_start_any_more(
    client: APIClient, anna: User, trigger: Trigger, spoil: Callable[[Trigger], None], code: str, detail: str
) -> None:
    event = trigger.events.get().pk
    first = fire(client, event=event, user=anna.pk, key="k")
    spoil(trigger)

    second = fire(client, event=event, user=anna.pk, key="k")

    assert (second.status_code, second.headers["Idempotent-Replayed"]) == (202, "true")
    assert second.json() == first.json()


def test_an_event_whose_own_class_is_gone_is_refused(client: APIClient, anna: User, trigger: Trigger) -> None:
    event = trigger.events.get()
    forget_class_of(event)

    response = fire(client, event=event.pk, user=anna.pk)

    detail = "The class of the event is not installed."
    assert_problem(response, problem(409, "component_missing", detail, [("/event", "component_missing", detail)]))
    assert not Occurrence.objects.exists()


def test_an_event_that_does_not_want_to_be_fired_is_accepted_and_skipped(client: APIClient, anna: User) -> None:
    trigger = a_trigger(RecordEffectAction(), event=PickyEvent())

    response = fire(client, event=trigger.events.get().pk, user=anna.pk)

    assert response.status_code == 202
    reason = {"code": "event_error", "detail": "probe.PickyEvent.should_be_fired raised RuntimeError."}
    assert (response.json()["matched"], response.json()["skipped"]) == ([], [match(trigger) | reason])


def test_a_type_and_one_of_its_events_are_not_the_same_content(client: APIClient, anna: User, trigger: Trigger) -> None:
    fire(client, type=TYPE, user=anna.pk, key="k")

    response = fire(client, event=trigger.events.get().pk, user=anna.pk, key="k")

    assert (response.status_code, response.json()["code"]) == (422, "key_conflict")


def test_an_audience_gets_its_runs_from_a_worker(client: APIClient, trigger: Trigger) -> None:
    owner, _ = people(2)
    Task.objects.create(user=owner, name="Write to Bob")

    response = fire(client, type=TYPE, audience="task-owners", context={"task_id": 1})

    assert response.status_code == 202
    body = response.json()
    assert (body["matched"], body["unknown_users"], body["runs"]) == ([match(trigger)], [], [])
    assert body["is_expanded"] is False
    for chunk in AudienceChunk.objects.all():
        expand(chunk.pk)
    told = client.get(response.headers["Location"]).json()
    assert (told["is_expanded"], told["run_counts"]["pending"]) == (True, 1)
    assert set(Run.objects.values_list("user", flat=True)) == {owner.pk}


def test_all_takes_a_permission_of_its_own(client_with: StartClient, trigger: Trigger) -> None:
    client = client_with("fire_event", "fire_event_to_all")

    response = fire(client, type=TYPE, audience="all")

    assert response.status_code == 202
    assert AudienceChunk.objects.exists()


def test_credentials_may_be_good_for_some_types_only(settings: Any, trigger: Trigger, admin_user: User) -> None:
    settings.TRIGGERS_API_AUTHENTICATION_CLASSES = ["triggers_api.keys.authentication.ApiKeyAuthentication"]
    key = ApiKey(name="Shop", user=admin_user, scopes=["fire", "explain"], event_types=["probe.ProbeEvent"])
    key.set_secret(secret.new())
    key.save()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key.secret}")
    before = database()
    detail = f"These credentials are not good for events of the type {TYPE}."

    for argument, value in {"type": TYPE, "event": Event.objects.get().pk}.items():
        for path in (URL, "/api/v1/explain/"):
            body = {argument: value, "user": admin_user.pk}
            response = client.post(path, body, format="json")
            code = "event_type_not_permitted"
            assert_problem(response, problem(403, code, detail, [(f"/{argument}", code, detail)]))
    assert database() == before
    assert fire(client, type="probe.ProbeEvent", user=admin_user.pk).status_code == 202


SCHEMA = {"type": "object", "required": ["lines"], "properties": {"lines": {"items": {"type": "object"}}}}


@pytest.mark.parametrize(
    ("context", "pointer"), [({}, ""), ({"lines": [{}, 7]}, "/lines/1")], ids=["a key is missing", "a value is wrong"]
)
def test_a_context_that_is_not_as_its_schema_asks_is_refused_wherever_it_comes_from(
    client_with: StartClient,
    anna: User,
    monkeypatch: pytest.MonkeyPatch,
    context: dict[str, Any],
    pointer: str,
) -> None:
    monkeypatch.setattr(ProbeEvent, "context_schema", SCHEMA)
    client = client_with("fire_event", "explain_event")
    trigger = a_trigger(RecordEffectAction())
    body = {"user": anna.pk, "context": context}
    event = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "probe.ProbeEvent", "subject": str(anna.pk)}
    requests: list[tuple[str, Any, str]] = [
        ("fire/", body | {"type": "probe.ProbeEvent"}, "/context"),
        ("fire/", body | {"event": trigger.events.get().pk}, "/context"),
        ("fire/batch/", {"items": [body | {"type": "probe.ProbeEvent"}]}, "/items/0/context"),
        ("explain/", body | {"type": "probe.ProbeEvent"}, "/context"),
        ("cloudevents/", event | {"data": context}, "/data"),
    ]
    before = database()

    for path, body, place in requests:
        content_type = "application/cloudevents+json" if path == "cloudevents/" else "application/json"
        response = client.post(f"/api/v1/{path}", json.dumps(body), content_type=content_type)
        detail = response.json()["detail"]
        assert detail.startswith("The context is not as the schema of probe.ProbeEvent asks: ")
        errors = [(place + pointer, "context_schema_mismatch", detail)]
        assert_problem(response, problem(400, "context_schema_mismatch", detail, errors))
    assert database() == before
