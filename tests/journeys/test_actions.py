"""The actions of journeys at work, in the admin and over HTTP."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger, effects
from tests.admin.pages import add_component, form_values, text, trigger_url
from tests.app.models import HasUncompletedTaskCondition, Task, TaskCompletedEvent
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers import fire
from triggers.contrib.journeys.models import GoOnIfConditionsHold, WaitForEvent, WaitForTime, WaitUntilTimeOfDay
from triggers.models import Action, ActionCountCondition, Run, Trigger
from triggers.running import advance
from triggers.testing import run_triggers, without_broker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_broker():
    with without_broker():
        yield


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", "ada@example.com")


def begin(user: User, *actions: Action, context: Any = None, **options: Any) -> Run:
    a_trigger(*actions, RecordEffectAction(), **options)
    run = fire(ProbeEvent, users=user, context=context or {}).runs.get()
    advance([run.pk])
    run.refresh_from_db()
    return run


def test_a_wait_lasts_as_long_as_it_says(ada: User) -> None:
    run = begin(ada, WaitForTime(duration=timedelta(days=14)))
    assert run.due_at is not None
    assert run.started_at is not None
    assert timedelta(0) <= run.due_at - run.started_at - timedelta(days=14) < timedelta(minutes=1)
    run_triggers(after=timedelta(days=13))
    assert not effects()
    run_triggers(after=timedelta(days=14, minutes=1))
    assert effects() == {"effect": 1}


def test_a_time_of_day_is_waited_for_where_the_person_is(ada: User, settings: Any) -> None:
    settings.TRIGGERS_USER_TIME_ZONE = "last_name"
    User.objects.update(last_name="Asia/Tokyo")
    run = begin(ada, WaitUntilTimeOfDay(time=time(9, 30)))
    assert run.due_at is not None
    assert (run.due_at.hour, run.due_at.minute) == (0, 30)
    assert run.due_at - datetime.now(UTC) <= timedelta(days=1)


def test_a_time_of_day_after_a_wait_is_that_of_the_day_then(ada: User) -> None:
    a_trigger(WaitForTime(duration=timedelta(days=3)), WaitUntilTimeOfDay(time=time(9, 30)), RecordEffectAction())
    run = fire(ProbeEvent, users=ada).runs.get()
    advance([run.pk])
    run.refresh_from_db()
    assert run.due_at is not None
    wait_is_over = run.due_at
    advance([run.pk], now=wait_is_over)
    run.refresh_from_db()
    assert run.due_at is not None
    assert timedelta(0) < run.due_at - wait_is_over <= timedelta(days=1)


@pytest.mark.parametrize("on_timeout", ["continue", "stop"])
def test_an_event_is_waited_for(ada: User, on_timeout: str) -> None:
    wait = WaitForEvent(event_type="app.TaskCompletedEvent", within=timedelta(days=1), on_timeout=on_timeout)
    run = begin(ada, wait)
    assert run.waiting_for is not None
    assert (run.waiting_for.type, run.waiting_for.on_timeout) == ("app.TaskCompletedEvent", on_timeout)
    run_triggers(after=timedelta(days=2))
    run.refresh_from_db()
    assert run.code == ("timed_out" if on_timeout == "stop" else "")
    assert effects() == ({} if on_timeout == "stop" else {"effect": 1})


def test_an_event_counts_that_tells_the_same(ada: User) -> None:
    wait = WaitForEvent(event_type="app.TaskCompletedEvent", within=timedelta(days=1), matching_keys="a, b")
    run = begin(ada, wait, context={"a": 1, "b": "x", "c": 0})
    fire(TaskCompletedEvent, users=ada, context={"a": 1, "b": "y"})
    assert [moved.pk for moved in run_triggers()] == []
    fire(TaskCompletedEvent, users=ada, context={"a": 1, "b": "x", "c": 5})
    run_triggers()
    run.refresh_from_db()
    assert (run.status, effects()) == ("succeeded", {"effect": 1})


def test_keys_that_the_first_event_does_not_have_fail_the_run_with_their_names(ada: User) -> None:
    wait = WaitForEvent(event_type="app.TaskCompletedEvent", within=timedelta(days=1), matching_keys="a,b,c")
    run = begin(ada, wait, context={"b": 1})
    assert (run.status, run.code) == ("failed", "action_failed")
    assert run.steps.get().error_message == "The event that started this run does not tell a, c."


def test_a_journey_goes_on_only_if_the_conditions_hold_and_limits_do_not_count(ada: User) -> None:
    task = Task.objects.create(user=ada, name="write")
    wait = WaitForTime(duration=timedelta(days=1))
    conditions = [HasUncompletedTaskCondition(), ActionCountCondition(limit=1)]
    run = begin(ada, wait, GoOnIfConditionsHold(), RecordEffectAction(label="second"), conditions=conditions)
    run_triggers(after=timedelta(days=2))
    run.refresh_from_db()
    assert (run.status, run.code, effects()) == ("succeeded", "", {"effect": 1, "second": 1})

    bob = User.objects.create_user("bob")
    Task.objects.create(user=bob, name="read")
    other = fire(ProbeEvent, users=bob).runs.get()
    advance([other.pk])
    Task.objects.exclude(pk=task.pk).update(is_completed=True)
    run_triggers(after=timedelta(days=2))
    other.refresh_from_db()
    assert (other.status, other.code) == ("succeeded", "stopped")
    assert effects() == {"effect": 1, "second": 1}


def test_they_say_in_lists_what_they_do() -> None:
    actions = [
        WaitForTime(duration=timedelta(days=3)),
        WaitUntilTimeOfDay(time=time(9, 30)),
        WaitForEvent(event_type="app.TaskCompletedEvent"),
        WaitForEvent(event_type="gone.GoneEvent"),
        GoOnIfConditionsHold(),
    ]
    assert [str(action) for action in actions] == [
        "wait for 3 days",
        "wait until 09:30",
        "wait for “Task completed”",
        "wait for “gone.GoneEvent”",
        "go on only if the conditions still hold",
    ]
    assert str(WaitForTime()) == "wait for some time"


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"event_type": "app.NothingEvent"}, "event_type", "There is no event type “app.NothingEvent” here."),
        ({"event_type": "triggers.Event"}, "event_type", "There is no event type “triggers.Event” here."),
        ({"within": timedelta()}, "within", "Wait for a second at least."),
        ({"within": timedelta(days=10000)}, "within", "Wait for ten years at most."),
        ({"matching_keys": "a,,b"}, "matching_keys", "Write names, separated by commas, as in “order_id, item”."),
        ({"on_timeout": "explode"}, "on_timeout", "Value 'explode' is not a valid choice."),
    ],
)
def test_what_cannot_be_waited_for_is_refused(values: Any, field: str, sentence: str) -> None:
    fields = {"event_type": "app.TaskCompletedEvent", "within": timedelta(days=1)} | values
    with pytest.raises(ValidationError) as refused:
        WaitForEvent(**fields).full_clean(exclude=["trigger", "polymorphic_ctype", "action_ptr"])
    assert refused.value.message_dict == {field: [sentence]}


ACTIONS = [
    {"type": "triggers_journeys.WaitForTime", "duration": "P14D"},
    {"type": "triggers_journeys.WaitUntilTimeOfDay", "time": "09:30:00"},
    {"type": "triggers_journeys.WaitForEvent", "event_type": "app.TaskCompletedEvent", "within": "P3D"},
    {"type": "triggers_journeys.GoOnIfConditionsHold"},
]


def post(*actions: Any) -> Any:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("admin"))
    body = {"type": "triggers.Trigger", "name": "journey", "actions": list(actions)}
    return client.post("/api/v1/triggers/", body, format="json")


def test_they_are_set_up_over_http() -> None:
    response = post(*ACTIONS)
    assert response.status_code == 201, response.json()
    told = [{name: value for name, value in action.items() if name != "id"} for action in response.json()["actions"]]
    common = {"on_failure": "stop"}
    assert told == [
        ACTIONS[0] | common | {"duration": "P14DT00H00M00S"},
        ACTIONS[1] | common,
        ACTIONS[2] | common | {"within": "P3DT00H00M00S", "on_timeout": "continue", "matching_keys": ""},
        ACTIONS[3] | common,
    ]


def test_what_is_wrong_is_refused_over_http_at_its_place() -> None:
    response = post(
        {"type": "triggers_journeys.WaitForTime", "duration": "PT0S"},
        {"type": "triggers_journeys.WaitForEvent", "event_type": "app.NothingEvent", "within": "P3D"},
        ACTIONS[2] | {"matching_keys": ", "},
    )
    assert response.status_code == 400
    errors = [(error["pointer"], error["code"]) for error in response.json()["errors"]]
    assert errors == [
        ("/actions/0/duration", "min_value"),
        ("/actions/1/event_type", "invalid_choice"),
        ("/actions/2/matching_keys", "invalid"),
    ]


def test_they_are_set_up_in_the_admin(admin_client: Client) -> None:
    trigger = a_trigger(RecordEffectAction())
    page = admin_client.get(trigger_url(trigger))
    assert "Waits until something happens to the person, but not for ever." in text(page)
    values = form_values(page)
    add_component(values, "actions", WaitForTime, duration="3 00:00:00", position="1")
    add_component(
        values,
        "actions",
        WaitForEvent,
        event_type="app.TaskCompletedEvent",
        within="14 00:00:00",
        on_timeout="stop",
        matching_keys="task_id",
        position="2",
    )
    add_component(values, "actions", GoOnIfConditionsHold, position="3")
    response = admin_client.post(trigger_url(trigger), values)
    assert response.status_code == 302, text(response)
    kinds = [type(action) for action in Trigger.objects.get().actions.all()]
    assert kinds == [RecordEffectAction, WaitForTime, WaitForEvent, GoOnIfConditionsHold]
    assert WaitForEvent.objects.get().keys == ["task_id"]
