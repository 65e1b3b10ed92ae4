from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from tests.acceptance.scenario import a_trigger
from tests.app.models import ClockEvent, Task, TaskCompletedEvent
from tests.probe.models import (
    PickyEvent,
    ProbeEvent,
    RaisingCondition,
    RecordEffectAction,
    UsernameCondition,
)
from triggers import fire
from triggers.exceptions import (
    AudienceInvalid,
    AudienceUnknown,
    ContextInvalid,
    KeyConflict,
    KeyInvalid,
    TimingInvalid,
    UnknownEventType,
    UserInvalid,
)
from triggers.expansion import expand
from triggers.models import (
    ActionCountCondition,
    Activity,
    AudienceChunk,
    Event,
    Occurrence,
    Run,
    Trigger,
)

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
BEYOND_UTC = datetime.max.replace(tzinfo=timezone.get_fixed_timezone(-60))

pytestmark = pytest.mark.django_db


def test_each_configured_event_of_enabled_triggers_gets_a_run_and_the_others_a_reason(ada):
    first = a_trigger(RecordEffectAction(), name="first")
    second = a_trigger(RecordEffectAction(), name="second")
    a_trigger(RecordEffectAction(), name="off", is_enabled=False)
    a_trigger(name="empty")
    a_trigger(RecordEffectAction(), name="other type", event=ClockEvent())

    occurrence = fire(ProbeEvent, users=ada, context={"a": 1})

    assert {run.trigger_id for run in occurrence.runs.all()} == {first.pk, second.pk}
    assert [(match["trigger_name"], match["code"]) for match in occurrence.matches] == [
        ("first", "matched"),
        ("second", "matched"),
        ("off", "trigger_disabled"),
        ("empty", "trigger_incomplete"),
    ]
    stored = Occurrence.objects.get()
    assert stored.matches == occurrence.matches
    assert (stored.type, stored.context, stored.depth) == ("probe.ProbeEvent", {"a": 1}, 0)


@pytest.mark.parametrize(
    "name", ["instance", "key", "text", "list of instances", "list of keys", "generator", "queryset"]
)
def test_users_are_named_in_every_usual_way(ada, name):
    a_trigger(RecordEffectAction())
    users = {
        "instance": ada,
        "key": ada.pk,
        "text": str(ada.pk),
        "list of instances": [ada, ada],
        "list of keys": [ada.pk, str(ada.pk)],
        "generator": (user for user in [ada]),
        "queryset": User.objects.filter(username="ada"),
    }[name]
    occurrence = fire(ProbeEvent, users=users)
    for chunk in AudienceChunk.objects.all():
        expand(chunk.pk)
    assert [run.user for run in occurrence.runs.all()] == [ada]


def test_unknown_users_are_noted_and_start_nothing(ada):
    a_trigger(RecordEffectAction())
    occurrence = fire(ProbeEvent, users=[ada.pk, 4711])
    assert [run.user_id for run in occurrence.runs.all()] == [ada.pk]
    assert Occurrence.objects.get().unknown_users == ["4711"]


def test_nobody_is_an_audience_too():
    a_trigger(RecordEffectAction())
    assert fire(ProbeEvent, users=[]).runs.count() == 0
    assert fire(ProbeEvent, users=User.objects.none()).runs.count() == 0


@pytest.mark.parametrize(
    ("changes", "error", "code", "argument"),
    [
        ({"event": "app.Nothing"}, UnknownEventType, "event_type_unknown", "type"),
        ({"event": "probe.probeevent"}, UnknownEventType, "event_type_unknown", "type"),
        ({"event": "nothing"}, UnknownEventType, "event_type_unknown", "type"),
        ({"event": "app.Task"}, UnknownEventType, "event_type_unknown", "type"),
        ({"event": Task}, UnknownEventType, "event_type_unknown", "type"),
        ({"event": Event}, UnknownEventType, "event_type_unknown", "type"),
        ({"event": 7}, UnknownEventType, "event_type_unknown", "type"),
        ({"event": ProbeEvent()}, UnknownEventType, "event_type_unknown", "type"),
        ({"event": Event(pk=1)}, UnknownEventType, "event_type_unknown", "type"),
        ({"users": None}, AudienceInvalid, "audience_invalid", "audience"),
        ({"audience": "all"}, AudienceInvalid, "audience_invalid", "audience"),
        ({"users": None, "audience": "nobody"}, AudienceUnknown, "audience_unknown", "audience"),
        ({"users": None, "audience": ["all"]}, AudienceUnknown, "audience_unknown", "audience"),
        ({"users": "ada"}, UserInvalid, "user_invalid", "users"),
        ({"users": ["1_0"]}, UserInvalid, "user_invalid", "users"),
        ({"users": [" 1"]}, UserInvalid, "user_invalid", "users"),
        ({"users": [None]}, UserInvalid, "user_invalid", "users"),
        ({"users": [True]}, UserInvalid, "user_invalid", "users"),
        ({"users": [1.5]}, UserInvalid, "user_invalid", "users"),
        ({"users": 2**70}, UserInvalid, "user_invalid", "users"),
        ({"users": User()}, UserInvalid, "user_invalid", "users"),
        ({"users": Trigger(pk=1)}, UserInvalid, "user_invalid", "users"),
        ({"users": Trigger.objects.all()}, UserInvalid, "user_invalid", "users"),
        ({"context": [1]}, ContextInvalid, "context_invalid", "context"),
        ({"context": {"a": object()}}, ContextInvalid, "context_invalid", "context"),
        ({"context": {"user": 1}}, ContextInvalid, "context_key_reserved", "context"),
        ({"key": ""}, KeyInvalid, "key_invalid", "key"),
        ({"key": "k" * 256}, KeyInvalid, "key_invalid", "key"),
        ({"key": "\x00"}, KeyInvalid, "key_invalid", "key"),
        ({"occurred_at": datetime(2026, 1, 1)}, TimingInvalid, "timing_invalid", "occurred_at"),  # noqa: DTZ001
        ({"delay": timedelta(seconds=-1)}, TimingInvalid, "timing_invalid", "delay"),
        ({"delay": timedelta.max}, TimingInvalid, "timing_invalid", "delay"),
        ({"occurred_at": BEYOND_UTC}, TimingInvalid, "timing_invalid", "occurred_at"),
        ({"scheduled_at": datetime(2026, 1, 1)}, TimingInvalid, "timing_invalid", "scheduled_at"),  # noqa: DTZ001
        ({"scheduled_at": BEYOND_UTC}, TimingInvalid, "timing_invalid", "scheduled_at"),
        ({"scheduled_at": MOMENT, "delay": timedelta()}, TimingInvalid, "timing_invalid", "scheduled_at"),
    ],
)
def test_what_cannot_be_accepted_is_refused_and_writes_nothing(ada, changes, error, code, argument):
    a_trigger(RecordEffectAction())
    arguments = {"event": ProbeEvent, "users": ada} | changes
    with pytest.raises(error) as refusal:
        fire(arguments.pop("event"), **arguments)
    assert (refusal.value.code, refusal.value.argument) == (code, argument)
    assert not Occurrence.objects.exists()
    assert not Run.objects.exists()


def test_a_firing_that_is_rolled_back_never_happened(ada, django_capture_on_commit_callbacks):
    a_trigger(RecordEffectAction())
    with django_capture_on_commit_callbacks() as callbacks, transaction.atomic():
        fire(ProbeEvent, users=ada)
        transaction.set_rollback(True)
    assert not callbacks
    assert not Occurrence.objects.exists()


def test_the_same_key_and_content_answer_the_first_occurrence(ada):
    a_trigger(RecordEffectAction())
    first = fire(ProbeEvent, users=ada, context={"a": 1, "b": 2}, key="k")
    again = fire("probe.ProbeEvent", users=[str(ada.pk)], context={"b": 2, "a": 1}, key="k")
    assert again == first
    assert (first.replayed, again.replayed) == (False, True)
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"context": {"a": 2}},
        {"users": []},
        {"delay": timedelta(seconds=1)},
        {"occurred_at": MOMENT},
        {"scheduled_at": MOMENT},
        {"event": ClockEvent},
    ],
)
def test_the_same_key_with_other_content_is_refused(ada, changes):
    fire(ProbeEvent, users=ada, context={"a": 1}, key="k")
    arguments = {"event": ProbeEvent, "users": ada, "context": {"a": 1}} | changes
    with pytest.raises(KeyConflict):
        fire(arguments.pop("event"), key="k", **arguments)
    assert Occurrence.objects.count() == 1


def test_sources_do_not_share_keys(ada):
    assert fire(ProbeEvent, users=ada, key="k", source="a") != fire(ProbeEvent, users=ada, key="k", source="b")


def test_delays_are_counted_from_the_moment_it_happened(ada):
    a_trigger(RecordEffectAction(), event=ProbeEvent(delay=timedelta(hours=1)))
    happened = timezone.now() - timedelta(minutes=30)
    run = fire(ProbeEvent, users=ada, occurred_at=happened, delay=timedelta(minutes=10)).runs.get()
    assert run.due_at == happened + timedelta(hours=1, minutes=10)
    # It is no sooner handed over again than it is due.
    assert run.next_handover_at == run.due_at


@pytest.mark.parametrize(("ahead", "due"), [(timedelta(hours=2), True), (timedelta(hours=-2), False)])
def test_what_is_scheduled_is_due_then_with_the_delay_of_the_configured_event(ada, ahead, due):
    a_trigger(RecordEffectAction(), event=ProbeEvent(delay=timedelta(minutes=5)))
    moment = timezone.now() + ahead
    occurrence = fire(ProbeEvent, users=ada, scheduled_at=moment)
    assert occurrence.runs.get().due_at == (moment + timedelta(minutes=5) if due else None)
    assert occurrence.delay == max(moment - occurrence.occurred_at, timedelta())


def test_what_is_scheduled_again_later_under_the_same_key_is_the_same(ada):
    moment = timezone.now() + timedelta(days=1)
    first = fire(ProbeEvent, users=ada, scheduled_at=moment, key="k")
    Occurrence.objects.update(occurred_at=first.occurred_at - timedelta(hours=1))
    again = fire(ProbeEvent, users=ada, scheduled_at=moment, key="k")
    assert (again, again.replayed) == (first, True)


def test_one_configured_event_happens_alone(ada):
    a_trigger(RecordEffectAction(), name="first")
    second = a_trigger(RecordEffectAction(), name="second")
    event = second.events.get()
    occurrence = fire(event, users=ada, key="k")
    assert [run.trigger_name for run in occurrence.runs.all()] == ["second"]
    assert [match["event"] for match in occurrence.matches] == [event.pk]
    assert Occurrence.objects.get().event == event
    with pytest.raises(KeyConflict):
        fire(ProbeEvent, users=ada, key="k")


def test_what_is_due_already_is_due_at_once(ada):
    a_trigger(RecordEffectAction(), event=ProbeEvent(delay=timedelta(hours=1)))
    run = fire(ProbeEvent, users=ada, occurred_at=timezone.now() - timedelta(days=1)).runs.get()
    assert run.due_at is None


def test_a_delay_beyond_all_dates_concerns_its_trigger_only(ada):
    a_trigger(RecordEffectAction(), name="never", event=ProbeEvent(delay=timedelta(days=5000 * 365)))
    a_trigger(RecordEffectAction(), name="now")
    occurrence = fire(ProbeEvent, users=ada, delay=timedelta(days=4000 * 365))
    assert [match["code"] for match in occurrence.matches] == ["delay_too_long", "matched"]


def test_should_be_fired_decides_for_one_configured_event(ada):
    important = TaskCompletedEvent(important_only=True)
    a_trigger(RecordEffectAction(), name="important", event=important)
    a_trigger(RecordEffectAction(), name="any", event=TaskCompletedEvent())
    task = Task.objects.create(user=ada, name="write")
    occurrence = fire(TaskCompletedEvent, users=ada, context={"task_id": task.pk})
    assert [match["code"] for match in occurrence.matches] == ["event_not_concerned", "matched"]
    assert [run.trigger_name for run in occurrence.runs.all()] == ["any"]


def test_an_exception_in_should_be_fired_concerns_that_trigger_only(ada):
    a_trigger(RecordEffectAction(), name="picky", event=PickyEvent())
    occurrence = fire(PickyEvent, users=ada)
    assert [(match["code"], match["detail"]) for match in occurrence.matches] == [
        ("event_error", "probe.PickyEvent.should_be_fired raised RuntimeError.")
    ]


def test_named_users_whom_a_condition_keeps_out_get_a_run_that_says_why(ada, bob):
    condition = UsernameCondition(prefix="a")
    a_trigger(RecordEffectAction(), conditions=[condition])
    occurrence = fire(ProbeEvent, users=[ada, bob])
    assert occurrence.runs.get(user=ada).status == "pending"
    run = occurrence.runs.get(user=bob)
    assert (run.status, run.code, run.is_open, run.next_handover_at) == (
        "skipped",
        "condition_failed",
        False,
        None,
    )
    assert run.decision["condition"] == condition.pk
    assert run.decision["type"] == "probe.UsernameCondition"


def test_a_queryset_is_filtered_at_once_and_expanded_on_a_worker(ada, bob):
    a_trigger(RecordEffectAction(), conditions=[UsernameCondition(prefix="a")])
    occurrence = fire(ProbeEvent, users=User.objects.all())
    assert occurrence.runs.count() == 0
    chunk = AudienceChunk.objects.get()
    assert chunk.user_keys == [ada.pk]
    for _ in range(2):
        assert not expand(chunk.pk)
    assert [run.user for run in occurrence.runs.all()] == [ada]


def test_a_user_deleted_before_the_expansion_gets_no_run(ada, bob):
    a_trigger(RecordEffectAction())
    occurrence = fire(ProbeEvent, users=User.objects.all())
    bob.delete()
    expand(AudienceChunk.objects.get().pk)
    assert [run.user for run in occurrence.runs.all()] == [ada]


@pytest.mark.parametrize("shape", ["sliced", "union", "distinct", "joined"])
def test_querysets_of_every_shape_are_read(ada, bob, shape):
    Task.objects.create(user=ada, name="one")
    Task.objects.create(user=ada, name="two")
    a_trigger(RecordEffectAction(), conditions=[ActionCountCondition()])
    queryset = {
        "sliced": User.objects.order_by("pk")[:1],
        "union": User.objects.filter(pk=ada.pk).union(User.objects.filter(pk=ada.pk)),
        "distinct": User.objects.filter(tasks__name__in=["one", "two"]).distinct(),
        "joined": User.objects.filter(tasks__name__in=["one", "two"]),
    }[shape]
    occurrence = fire(ProbeEvent, users=queryset)
    for chunk in AudienceChunk.objects.all():
        expand(chunk.pk)
    assert [run.user for run in occurrence.runs.all()] == [ada]


def test_a_long_list_is_expanded_on_a_worker_too():
    users = User.objects.bulk_create(User(username=f"user{number}") for number in range(1001))
    a_trigger(RecordEffectAction())
    occurrence = fire(ProbeEvent, users=users)
    assert occurrence.runs.count() == 0
    assert sorted(len(chunk.user_keys) for chunk in AudienceChunk.objects.all()) == [1, 1000]
    for chunk in AudienceChunk.objects.all():
        expand(chunk.pk)
    assert occurrence.runs.count() == 1001


def test_a_condition_that_raises_at_fire_concerns_its_trigger_only(ada, monkeypatch):
    def broken(self, queryset):
        raise RuntimeError

    monkeypatch.setattr(UsernameCondition, "filter_user_queryset", broken)
    a_trigger(RecordEffectAction(), name="broken", conditions=[UsernameCondition(prefix="a")])
    a_trigger(RecordEffectAction(), name="whole")
    named = fire(ProbeEvent, users=ada)
    assert {run.trigger_name: (run.status, run.code) for run in named.runs.all()} == {
        "broken": ("failed", "condition_error"),
        "whole": ("pending", ""),
    }
    queried = fire(ProbeEvent, users=User.objects.all())
    assert [match["code"] for match in Occurrence.objects.get(pk=queried.pk).matches] == [
        "condition_error",
        "matched",
    ]
    assert AudienceChunk.objects.count() == 1


def test_python_conditions_are_asked_on_the_worker_only(ada):
    a_trigger(RecordEffectAction(), conditions=[RaisingCondition(usernames="ada")])
    assert fire(ProbeEvent, users=ada).runs.get().status == "pending"


def test_a_place_that_may_be_given_back_leaves_the_decision_to_the_worker(ada):
    trigger = a_trigger(RecordEffectAction(), conditions=[ActionCountCondition(limit=1)])
    holder = fire(ProbeEvent, users=ada).runs.get()
    Activity.objects.create(trigger=trigger, user=ada, action_count=1)
    Run.objects.filter(pk=holder.pk).update(status="running", reserved_at=timezone.now())
    assert fire(ProbeEvent, users=ada).runs.get().status == "pending"
    fire(ProbeEvent, users=User.objects.all())
    assert AudienceChunk.objects.get().user_keys == [ada.pk]
    Run.objects.filter(pk=holder.pk).update(steps_succeeded=1)
    assert fire(ProbeEvent, users=ada).runs.get().code == "limit_reached"


def test_fired_is_sent_once_for_each_new_run_and_a_failing_listener_does_no_harm(ada, bob):
    heard = []

    def listener(sender, event, user_pk, **context):
        heard.append((sender, event, user_pk, context["a"]))
        raise RuntimeError

    trigger = a_trigger(RecordEffectAction())
    event = trigger.events.get()
    Event.fired.connect(listener)
    try:
        fire(ProbeEvent, users=[ada, bob], context={"a": 1})
        fire(ProbeEvent, users=User.objects.filter(pk=ada.pk), context={"a": 2})
        expand(AudienceChunk.objects.get().pk)
    finally:
        Event.fired.disconnect(listener)
    assert heard == [
        (ProbeEvent, event, ada.pk, 1),
        (ProbeEvent, event, bob.pk, 1),
        (ProbeEvent, event, ada.pk, 2),
    ]


def test_one_configured_event_is_fired_by_itself(ada, bob):
    trigger = a_trigger(RecordEffectAction(), name="one")
    a_trigger(RecordEffectAction(), name="two")
    trigger.events.get().fire_single(ada.pk, a=1)
    trigger.events.get().fire_single(4711)
    trigger.events.get().fire(User.objects.filter(pk=bob.pk))
    expand(AudienceChunk.objects.get().pk)
    assert {(run.trigger_name, run.user_id) for run in Run.objects.all()} == {
        ("one", ada.pk),
        ("one", bob.pk),
    }


def test_handle_performs_before_it_returns_without_delay(ada):
    trigger = a_trigger(RecordEffectAction(), event=ProbeEvent(delay=timedelta(days=1)))
    trigger.events.get().handle(ada.pk, a=1)
    assert Run.objects.get().status == "succeeded"


def test_firing_for_one_user_costs_few_queries(ada, bob, django_assert_num_queries):
    a_trigger(RecordEffectAction(), conditions=[ActionCountCondition()])
    fire(ProbeEvent, users=ada)  # fills the cache of content types
    # The transaction (2), events with their triggers, conditions (2), actions, filters (1 in a savepoint: 3),
    # the occurrence, whether a run of the user may be waiting for the event, the runs.
    with django_assert_num_queries(12):
        fire(ProbeEvent, users=bob)
    # And one more where there is such a run: that it happened to the user.
    with django_assert_num_queries(13):
        fire(ProbeEvent, users=ada)


def test_firing_for_more_users_costs_no_more_queries(django_assert_num_queries):
    users = User.objects.bulk_create(User(username=f"user{number}") for number in range(30))
    a_trigger(RecordEffectAction(), conditions=[ActionCountCondition()])
    fire(ProbeEvent, users=users[0])
    with django_assert_num_queries(12):
        fire(ProbeEvent, users=users[1:])
