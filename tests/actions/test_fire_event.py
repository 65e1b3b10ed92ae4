"""FireEvent: what is fired, what is told, and what is refused."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger, outcomes
from tests.actions.conftest import Perform
from tests.admin.pages import add_component, form_values, text, trigger_url
from tests.app.models import ClockEvent
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers import fire
from triggers.context import decode
from triggers.contrib.actions.models import FireEvent
from triggers.models import Occurrence, Run, Trigger
from triggers.running import advance

pytestmark = pytest.mark.django_db

CLOCK = "app.ClockEvent"
URL = "/api/v1/triggers/"
ACTION = {"type": "triggers_actions.FireEvent", "event_type": CLOCK}


def fired() -> Occurrence:
    return Occurrence.objects.get(type=CLOCK)


def error_of(run: Run) -> tuple[str, str, str]:
    step = run.steps.get()
    return step.status, step.error_type, step.error_message


def test_the_event_happens_to_the_user_who_is_told_by_what_and_in_which_run(perform: Perform, ada: User) -> None:
    second = a_trigger(RecordEffectAction(), name="second", event=ClockEvent())
    run = perform(FireEvent(event_type=CLOCK))
    assert (run.status, run.steps.get().result) == ("succeeded", {"occurrence": str(fired().pk)})
    assert (fired().cause_id, fired().depth, fired().code) == (run.pk, 1, "")
    following = fired().runs.get()
    assert (following.user_id, following.trigger_id, following.status) == (ada.pk, second.pk, "pending")


def test_without_a_context_what_the_first_event_told_is_passed_on(perform: Perform) -> None:
    told = {"amount": Decimal("9.50"), "at": datetime(2026, 1, 2, tzinfo=UTC), "id": UUID(int=1), "lines": [{"n": 1}]}
    perform(FireEvent(event_type=CLOCK), **told)
    assert decode(fired().context) == told


def test_a_context_is_filled_in_and_its_values_keep_their_types(perform: Perform, ada: User) -> None:
    context = {
        "who": "{{ user.id }}",
        "amount": "{{ context.amount }}",
        "text": "{{ context.amount }} EUR for {{ user.first_name }}",
        "lines": ["{{ context.lines }}", 1, None],
        "nothing": "{{ context.nothing }}",
        "$decimal": "as it is",
    }
    perform(FireEvent(event_type=CLOCK, context=context), amount=Decimal("9.50"), lines=["{{ user.id }}"])
    assert decode(fired().context) == {
        "who": ada.pk,
        "amount": Decimal("9.50"),
        "text": "9.50 EUR for Ada",
        "lines": [["{{ user.id }}"], 1, None],
        "nothing": None,
        "$decimal": "as it is",
    }


def test_an_empty_context_tells_nothing(perform: Perform) -> None:
    perform(FireEvent(event_type=CLOCK, context={}), amount=1)
    assert fired().context == {}


def test_a_delay_is_added_to_that_of_the_event(perform: Perform) -> None:
    a_trigger(RecordEffectAction(), name="second", event=ClockEvent(delay=timedelta(hours=1)))
    perform(FireEvent(event_type=CLOCK, delay=timedelta(days=1)))
    assert fired().runs.get().due_at == fired().occurred_at + timedelta(days=1, hours=1)


def test_a_context_that_the_schema_refuses_fails_the_step_at_once(
    perform: Perform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClockEvent, "context_schema", {"properties": {"amount": {"type": "number"}}})
    run = perform(FireEvent(event_type=CLOCK, context={"amount": "{{ context.amount }} EUR"}), amount=9)
    assert run.status == "failed"
    assert error_of(run) == (
        "failed",
        "PermanentError",
        'The context is not as the schema of app.ClockEvent asks: amount must be of the type number, not "9 EUR".',
    )
    assert not Occurrence.objects.filter(type=CLOCK).exists()
    amount = FireEvent(event_type=CLOCK, context={"amount": "{{ context.amount }}"})
    Trigger.objects.all().delete()
    assert perform(amount, amount=Decimal("9.5")).status == "succeeded"


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (FireEvent(event_type="app.Gone"), "No installed event type is called “app.Gone”."),
        (
            FireEvent(event_type=CLOCK, delay=timedelta(days=9_999_999)),
            "The delay leads beyond the last date there is.",
        ),
        (
            FireEvent(event_type=CLOCK, context={"a": "{{ context.amount | divided_by: 0 }}"}),
            "The template failed: divided_by: can't divide by 0.",
        ),
        (
            FireEvent(event_type=CLOCK, context={"a": {"b": "{{ context.deep }}"}}),
            "The context is nested deeper than 32 levels at a/b" + "/0" * 31 + ".",
        ),
    ],
)
def test_what_cannot_be_fired_fails_the_step_at_once_with_a_sentence(
    perform: Perform, action: FireEvent, message: str
) -> None:
    deep: Any = 1
    for _ in range(31):
        deep = [deep]
    run = perform(action, amount=1, deep=deep)
    assert run.status == "failed"
    assert error_of(run)[2] == message
    assert run.steps.get().attempts == 1


def test_triggers_that_start_each_other_are_stopped_and_the_last_step_says_so(
    ada: User, no_broker: None, settings: Any
) -> None:
    settings.TRIGGERS_MAX_DEPTH = 3
    a_trigger(FireEvent(event_type=CLOCK), name="there")
    a_trigger(FireEvent(event_type="probe.ProbeEvent"), name="back", event=ClockEvent())
    fire(ProbeEvent, users=ada, context={"round": 1})
    while pending := list(Run.objects.open().values_list("pk", flat=True)):
        advance(pending)
    assert outcomes() == {"succeeded": 3, "failed action_failed": 1}
    assert list(Occurrence.objects.order_by("depth").values_list("depth", "type")) == [
        (0, "probe.ProbeEvent"),
        (1, CLOCK),
        (2, "probe.ProbeEvent"),
        (3, CLOCK),
    ]
    assert error_of(Run.objects.get(status="failed")) == (
        "failed",
        "DepthExceeded",
        "Events fired events 4 levels deep; TRIGGERS_MAX_DEPTH allows 3. "
        "Triggers that start each other are the usual reason.",
    )


def test_what_the_step_fired_is_undone_with_it(
    perform: Perform, ada: User, no_broker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_trigger(RecordEffectAction(), name="second", event=ClockEvent())
    original = FireEvent.perform

    def fire_and_raise(self: FireEvent, user: Any, context: Any) -> None:
        original(self, user, context)
        assert Occurrence.objects.filter(type=CLOCK).exists()
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(FireEvent, "perform", fire_and_raise)
        run = perform(FireEvent(event_type=CLOCK))
    assert run.status == "waiting"
    assert not Occurrence.objects.filter(type=CLOCK).exists()
    advance([run.pk], now=run.due_at)
    assert fired().runs.count() == 1


def test_what_it_costs_is_what_firing_costs(ada: User) -> None:
    with CaptureQueriesContext(connection) as direct:
        fire(ClockEvent, users=ada)
    with CaptureQueriesContext(connection) as by_action:
        FireEvent(event_type=CLOCK).perform(ada, {"user": ada})
    assert len(by_action) == len(direct)


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("root"))
    return client


def body(**values: Any) -> dict[str, Any]:
    return {"type": "triggers.Trigger", "name": "chain", "actions": [ACTION | values]}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, {"context": None, "delay": "P0DT00H00M00S"}),
        ({"context": None, "delay": "P3D"}, {"context": None, "delay": "P3DT00H00M00S"}),
        ({"context": {}}, {"context": {}, "delay": "P0DT00H00M00S"}),
        (
            {"context": {"a": ["{{ context.b }}", 1]}},
            {"context": {"a": ["{{ context.b }}", 1]}, "delay": "P0DT00H00M00S"},
        ),
    ],
)
def test_it_is_set_up_over_http(client: APIClient, given: Any, told: Any) -> None:
    response = client.post(URL, body(**given), format="json")
    assert response.status_code == 201, response.json()
    action = FireEvent.objects.get()
    assert response.json()["actions"] == [ACTION | {"id": action.pk, "on_failure": "stop"} | told]
    again = client.put(response.headers["Location"], response.json(), format="json")
    assert again.json()["actions"] == response.json()["actions"]


@pytest.mark.parametrize(
    ("values", "pointer", "code"),
    [
        ({"event_type": "app.Gone"}, "event_type", "invalid_choice"),
        ({"event_type": "app.clockevent"}, "event_type", "invalid_choice"),
        ({"event_type": "triggers.Event"}, "event_type", "invalid_choice"),
        ({"event_type": ""}, "event_type", "blank"),
        ({"event_type": None}, "event_type", "null"),
        ({"event_type": 1}, "event_type", "invalid"),
        ({"context": []}, "context", "context_invalid"),
        ({"context": "{{ context }}"}, "context", "context_invalid"),
        ({"context": 0}, "context", "context_invalid"),
        ({"context": False}, "context", "context_invalid"),
        ({"context": ""}, "context", "context_invalid"),
        ({"context": {"user": 1}}, "context", "context_key_reserved"),
        ({"context": {"a": "{{ unclosed"}}, "context", "template_invalid"),
        ({"context": {"a": "{{ secret.key }}"}}, "context", "template_invalid"),
        ({"context": {"a": "x" * 300_000}}, "context", "json_too_long"),
        ({"delay": "-P1D"}, "delay", "min_value"),
        ({"delay": "P4000D"}, "delay", "max_value"),
        ({"delay": "soon"}, "delay", "invalid"),
        ({"delay": None}, "delay", "null"),
    ],
)
def test_what_is_wrong_is_refused_at_its_place(client: APIClient, values: Any, pointer: str, code: str) -> None:
    response = client.post(URL, body(**values), format="json")
    assert response.status_code == 400, response.json()
    [error] = response.json()["errors"]
    assert (error["pointer"], error["code"]) == (f"/actions/0/{pointer}", code)
    assert not FireEvent.objects.exists()


def test_an_event_must_be_named(client: APIClient) -> None:
    response = client.post(URL, body() | {"actions": [{"type": ACTION["type"]}]}, format="json")
    [error] = response.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/actions/0/event_type", "required")


def test_a_key_that_is_reserved_is_named(client: APIClient) -> None:
    response = client.post(URL, body(context={"user": 1}), format="json")
    [error] = response.json()["errors"]
    assert error["detail"] == "“user” is set by dj-triggers; use another name for it in the context."


def test_it_is_set_up_in_the_admin(admin_client: Client) -> None:
    trigger = a_trigger(RecordEffectAction())
    page = admin_client.get(trigger_url(trigger))
    assert "Fires another event for the person, and so starts other triggers." in text(page)
    added = {"event_type": CLOCK, "delay": "0:00:00", "position": "1", "on_failure": "stop"}

    for context, complaint in (("[1]", "must be an object"), ('{"a": "{{ b }}"}', "there is no “b” here")):
        values = form_values(page)
        add_component(values, "actions", FireEvent, context=context, **added)
        assert complaint in text(admin_client.post(trigger_url(trigger), values))
    assert not FireEvent.objects.exists()

    values = form_values(page)
    add_component(values, "actions", FireEvent, context="", **added)
    response = admin_client.post(trigger_url(trigger), values)
    assert response.status_code == 302, text(response)
    assert (FireEvent.objects.get().event_type, FireEvent.objects.get().context) == (CLOCK, None)

    for context, kept in (('{"a": "{{ context.b }}"}', {"a": "{{ context.b }}"}), ("{}", {})):
        values = form_values(admin_client.get(trigger_url(trigger))) | {"actions-1-context": context}
        assert admin_client.post(trigger_url(trigger), values).status_code == 302
        assert FireEvent.objects.get().context == kept


def test_it_says_in_lists_what_it_does() -> None:
    assert str(FireEvent(event_type=CLOCK)) == "fire “Clock”"
    assert str(FireEvent(event_type="app.Gone")) == "fire “app.Gone”"
    assert str(FireEvent()) == "fire an event"
