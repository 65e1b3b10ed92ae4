"""Runs that wait for an event: what they wait for, what counts, who wakes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from tests.acceptance.scenario import a_trigger, effects
from tests.app.models import TaskCompletedEvent
from tests.probe import models as probe
from triggers import engines, firing, flow, running, sweeping, waking
from triggers.engines.base import Engine
from triggers.expansion import expand
from triggers.firing import fire
from triggers.models import AudienceChunk, AwaitedType, Happening, Occurrence, Run, Step
from triggers.running import Remaining, advance
from triggers.testing import assert_fired, run_triggers

pytestmark = pytest.mark.django_db(transaction=True)

AWAITED = "app.TaskCompletedEvent"


class RecordingEngine(Engine):
    """Notes what it is told."""

    name = "recording"

    def __init__(self):
        self.started, self.woken = [], []

    def start(self, run_ids, due_at=None):
        self.started += run_ids

    def expand(self, chunk_ids):
        pass

    def wake(self, run_ids):
        self.woken += run_ids


@pytest.fixture(autouse=True)
def engine() -> Iterator[RecordingEngine]:
    """The engine of every run, which does nothing by itself."""
    engine = RecordingEngine()
    with mock.patch.object(engines, "get", return_value=engine):
        yield engine


@contextmanager
def nobody_looks(*names: str) -> Iterator[None]:
    """As if the process had ended before it looked for what its commit concerns."""
    with mock.patch.multiple(waking, **dict.fromkeys(names or ("look_for_runs", "look_for_events"), mock.DEFAULT)):
        yield


def journey(*, after=(), before=(), trigger_name="journey", **wait):
    wait = {"event_type": AWAITED} | wait
    waiting = probe.AwaitAction(**wait)
    return a_trigger(*before, waiting, *(after or [probe.RecordEffectAction()]), name=trigger_name)


def begun(user, **wait):
    """A run that waits for the event."""
    journey(**wait)
    run = fire(probe.ProbeEvent, users=user).runs.get()
    advance([run.pk])
    run.refresh_from_db()
    assert run.is_awaiting
    return run


def wait_in_words(run):
    step = Step.objects.filter(run=run, type__startswith="probe.Await").last()
    return step.detail


def test_a_run_waits_until_the_event_happens_to_its_user(ada, bob, engine):
    run = begun(ada, seconds=3600)
    assert (run.status, run.awaited_type, run.steps_succeeded) == ("waiting", AWAITED, 1)
    assert run.due_at - run.started_at >= timedelta(seconds=3600)
    assert advance([run.pk]) == [Remaining(run.pk, run.due_at)]

    fire(TaskCompletedEvent, users=bob)
    fire(probe.ProbeEvent, users=ada)
    run.refresh_from_db()
    assert run.is_awaiting

    occurrence = fire(TaskCompletedEvent, users=ada)
    assert engine.woken == [run.pk]
    run.refresh_from_db()
    assert (run.status, run.woken_by_id, run.due_at, run.is_awaiting) == ("waiting", occurrence.pk, None, False)
    assert advance([run.pk]) == []
    run.refresh_from_db()
    assert (run.status, run.code, run.woken_by_id, run.awaited_type) == ("succeeded", "", None, None)
    step = run.steps.get(position=0)
    assert (step.woken_by_id, step.detail) == (occurrence.pk, f"{AWAITED} happened.")
    assert effects() == {"effect": 1}


def test_an_event_class_may_be_given_in_place_of_its_label(ada):
    run = begun(ada)
    with mock.patch.object(
        probe.AwaitAction, "perform", return_value=flow.WaitForEvent(TaskCompletedEvent, timedelta(1))
    ):
        other = fire(probe.ProbeEvent, users=ada).runs.get()
        advance([other.pk])
    assert Run.objects.get(pk=other.pk).awaited_type == run.awaited_type == AWAITED


@pytest.mark.parametrize("on_timeout", ["continue", "stop"])
def test_without_the_event_the_run_goes_on_or_stops(ada, on_timeout):
    run = begun(ada, seconds=3600, on_timeout=on_timeout)
    assert advance([run.pk], now=run.due_at) == []
    run.refresh_from_db()
    detail = f"{AWAITED} did not happen in time."
    assert wait_in_words(run) == detail
    assert run.awaited_type is None
    if on_timeout == "stop":
        assert (run.status, run.code, run.detail, effects()) == ("succeeded", "timed_out", detail, {})
    else:
        assert (run.status, run.code, run.detail, effects()) == ("succeeded", "", "", {"effect": 1})


def test_a_context_is_matched_by_its_keys_and_values(ada, engine):
    run = begun(ada, matching={"task_id": 7, "list": {"name": "home"}})
    fire(TaskCompletedEvent, users=ada)
    fire(TaskCompletedEvent, users=ada, context={"task_id": 8, "list": {"name": "home"}})
    fire(TaskCompletedEvent, users=ada, context={"task_id": 7, "list": {"name": "home", "size": 1}})
    assert not engine.woken
    occurrence = fire(TaskCompletedEvent, users=ada, context={"task_id": 7, "list": {"name": "home"}, "more": True})
    assert engine.woken == [run.pk]
    run.refresh_from_db()
    assert run.woken_by_id == occurrence.pk


def test_values_that_json_does_not_have_are_matched_too(ada, engine):
    moment = timezone.now()
    journey()
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    outcome = flow.WaitForEvent(TaskCompletedEvent, timedelta(hours=1), context={"at": moment})
    with mock.patch.object(probe.AwaitAction, "perform", return_value=outcome):
        advance([run.pk])
    fire(TaskCompletedEvent, users=ada, context={"at": moment.isoformat()})
    assert not engine.woken
    fire(TaskCompletedEvent, users=ada, context={"at": moment})
    assert engine.woken == [run.pk]


def test_a_second_event_changes_nothing(ada, engine):
    run = begun(ada)
    first = fire(TaskCompletedEvent, users=ada)
    fire(TaskCompletedEvent, users=ada)
    waking.look_for_runs(first.pk)
    waking.look_for_events([run.pk])
    run.refresh_from_db()
    assert (run.woken_by_id, engine.woken) == (first.pk, [run.pk])
    advance([run.pk])
    fire(TaskCompletedEvent, users=ada)
    advance([run.pk])
    assert (effects(), engine.woken) == ({"effect": 1}, [run.pk])


def test_an_event_that_came_since_the_preceding_step_counts_though_nobody_waited_then(ada):
    trigger = journey(before=[probe.RecordEffectAction(label="before"), probe.WaitAction(seconds=3600)])
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    fire(TaskCompletedEvent, users=ada)  # before it started
    advance([run.pk])
    occurrence = fire(TaskCompletedEvent, users=ada)
    run.refresh_from_db()
    (remaining,) = advance([run.pk], now=run.due_at)
    assert remaining.due_at is None
    run.refresh_from_db()
    assert run.woken_by_id == occurrence.pk
    advance([run.pk])
    assert effects() == {"before": 1, "effect": 1}
    assert trigger.name == "journey"


def test_an_event_from_before_the_preceding_step_was_over_does_not_count(ada):
    journey(before=[probe.WaitAction(seconds=3600), probe.RecordEffectAction(label="before")])
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    advance([run.pk])
    fire(TaskCompletedEvent, users=ada)
    advance([run.pk], now=timezone.now() + timedelta(hours=2))
    run.refresh_from_db()
    assert run.is_awaiting


def test_an_event_from_before_the_run_started_does_not_count(ada):
    journey()
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    fire(TaskCompletedEvent, users=ada)
    advance([run.pk])
    run.refresh_from_db()
    assert run.is_awaiting


def test_one_event_ends_one_wait_of_a_run(ada):
    a_trigger(*[probe.AwaitAction(event_type=AWAITED) for _ in range(3)], name="three")
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    advance([run.pk])
    first = fire(TaskCompletedEvent, users=ada)
    second = fire(TaskCompletedEvent, users=ada)
    (remaining,) = advance([run.pk])
    assert remaining.due_at is None  # the second event ends the second wait at once
    (remaining,) = advance([run.pk])
    assert remaining.due_at is not None
    third = fire(TaskCompletedEvent, users=ada)
    assert advance([run.pk]) == []
    assert [step.woken_by_id for step in run.steps.all()] == [first.pk, second.pk, third.pk]


def test_an_event_after_the_time_is_up_does_not_count_though_no_worker_has_seen_that(ada, engine):
    run = begun(ada)
    past = timezone.now() - timedelta(seconds=1)
    Run.objects.update(due_at=past)
    fire(TaskCompletedEvent, users=ada)
    assert not engine.woken
    advance([run.pk])
    assert wait_in_words(run) == f"{AWAITED} did not happen in time."


def test_an_event_in_time_counts_though_nobody_looked_before_the_time_was_up(ada):
    run = begun(ada)
    with nobody_looks():
        occurrence = fire(TaskCompletedEvent, users=ada)
    assert advance([run.pk], now=run.due_at) == []
    assert run.steps.get(position=0).woken_by_id == occurrence.pk


def test_nothing_is_written_of_users_without_a_run_that_is_not_over(ada, bob):
    begun(ada)
    fire(TaskCompletedEvent, users=[ada, bob])
    assert [happening.user_id for happening in Happening.objects.all()] == [ada.pk]
    advance([Run.objects.get().pk])
    Happening.objects.all().delete()
    fire(TaskCompletedEvent, users=[ada, bob])
    assert not Happening.objects.exists()


def test_to_look_in_vain_costs_few_queries(ada, django_assert_num_queries):
    begun(ada)
    with nobody_looks():
        occurrence = fire(probe.PickyEvent, users=ada)
    # To whom it happened, who of them waits for it (in a transaction: 3), and that this was looked up.
    with django_assert_num_queries(5):
        waking.look_for_runs(occurrence.pk)
    with django_assert_num_queries(1):
        waking.look_for_runs(occurrence.pk)


def test_an_event_that_is_rolled_back_wakes_nobody(ada, engine):
    run = begun(ada)
    with transaction.atomic():
        fire(TaskCompletedEvent, users=ada)
        transaction.set_rollback(True)
    run.refresh_from_db()
    assert (run.is_awaiting, engine.woken) == (True, [])


def test_an_event_that_is_handled_here_and_now_wakes_too(ada, engine):
    run = begun(ada)
    event = TaskCompletedEvent.objects.create(trigger=a_trigger(probe.RecordEffectAction(label="own"), name="other"))
    event.handle(ada.pk)
    assert engine.woken == [run.pk]


def test_a_replay_and_a_repeated_key_are_no_events(ada, engine):
    other = a_trigger(probe.RecordEffectAction(label="own"), name="other", event=TaskCompletedEvent())
    done = fire(TaskCompletedEvent, users=ada, key="once").runs.get()
    advance([done.pk])
    run = begun(ada)
    firing.replay(Run.objects.get(pk=done.pk))
    assert fire(TaskCompletedEvent, users=ada, key="once").replayed
    assert (engine.woken, other.pk) == ([], done.trigger_id)
    run.refresh_from_db()
    assert run.is_awaiting


@pytest.mark.parametrize("whom", ["queryset", "list", "audience"])
@pytest.mark.parametrize("is_used", [False, True])
def test_large_audiences_wake_too(whom, is_used, engine, monkeypatch, django_assert_max_num_queries):
    monkeypatch.setattr(AudienceChunk, "SIZE", 3)
    people = User.objects.bulk_create(User(username=f"user{number}") for number in range(10))
    waiting = people[2:9]
    if is_used:
        a_trigger(probe.RecordEffectAction(label="own"), name="other", event=TaskCompletedEvent())
    journey()
    for person in waiting:
        fire(probe.ProbeEvent, users=person)
    run_ids = list(Run.objects.values_list("pk", flat=True))
    advance(run_ids)

    options = {
        "queryset": {"users": User.objects.all()},
        "list": {"users": people},
        "audience": {"audience": "all"},
    }
    occurrence = fire(TaskCompletedEvent, **options[whom])
    assert not engine.woken
    for chunk in AudienceChunk.objects.filter(done_at=None):
        while expand(chunk.pk):
            pass
    assert sorted(engine.woken) == sorted(run_ids)
    assert not Happening.objects.filter(looked_at=None).exists()
    assert Happening.objects.filter(occurrence=occurrence).count() == len(waiting)
    assert not Run.objects.filter(pk__in=run_ids).exclude(woken_by=occurrence).exists()


def test_large_audiences_are_not_looked_through_for_types_that_nobody_waits_for(ada):
    begun(ada)
    fire(probe.PickyEvent, users=User.objects.all())
    fire(probe.PickyEvent, audience="all")
    assert not AudienceChunk.objects.exists()


def test_what_an_action_says_it_waits_for_is_remembered_from_the_first_run_on(ada):
    """So an event for a large audience counts that came between a step and the first wait for its type ever."""
    journey(before=[probe.WaitAction(seconds=3600)])
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    assert AwaitedType.objects.get().type == AWAITED
    advance([run.pk])
    occurrence = fire(TaskCompletedEvent, users=User.objects.all())
    expand(AudienceChunk.objects.get().pk)
    advance([run.pk], now=timezone.now() + timedelta(hours=2))
    assert Run.objects.get(pk=run.pk).woken_by_id == occurrence.pk


def test_a_time_that_a_large_audience_takes_does_not_let_the_event_come_late(ada):
    """The event counts from when it was recorded, not from when a worker read its audience."""
    run = begun(ada)
    fire(TaskCompletedEvent, users=User.objects.all())
    chunk = AudienceChunk.objects.get()
    Run.objects.update(awaited_since=chunk.recorded_at + timedelta(microseconds=1000))
    expand(chunk.pk)
    run.refresh_from_db()
    assert run.is_awaiting


def test_an_unknown_event_type_fails_the_step_at_once(ada, run_to_the_end):
    journey(event_type="app.NothingEvent")
    (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
    assert (run.status, run.code) == ("failed", "action_failed")
    step = run.steps.get()
    assert (step.attempts, step.error_type) == (1, "PermanentError")
    assert step.error_message == "flow.WaitForEvent cannot wait: No installed event type is called “app.NothingEvent”."


@pytest.mark.parametrize("matching", [{"user": 1}, {"a": "\x00"}])
def test_a_context_that_no_event_can_have_fails_the_step_at_once(ada, run_to_the_end, matching):
    journey()
    occurrence = fire(probe.ProbeEvent, users=ada)
    outcome = flow.WaitForEvent(AWAITED, timedelta(1), context=matching)
    with mock.patch.object(probe.AwaitAction, "perform", return_value=outcome):
        (run,) = run_to_the_end(occurrence)
    assert (run.code, run.steps.get().attempts) == ("action_failed", 1)


def test_a_timeout_beyond_all_dates_fails_the_step_at_once(ada, run_to_the_end):
    journey()
    occurrence = fire(probe.ProbeEvent, users=ada)
    outcome = flow.WaitForEvent(AWAITED, timedelta.max)
    with mock.patch.object(probe.AwaitAction, "perform", return_value=outcome):
        (run,) = run_to_the_end(occurrence)
    assert (run.code, run.steps.get().attempts) == ("action_failed", 1)


def test_what_a_wait_is_made_of_is_checked():
    with pytest.raises(TypeError, match="timedelta"):
        flow.WaitForEvent(AWAITED, 5)
    with pytest.raises(ValueError, match="on_timeout must be one of continue, stop, not 'go'"):
        flow.WaitForEvent(AWAITED, timedelta(1), on_timeout="go")


def test_many_users_may_begin_to_wait_together(engine):
    people = User.objects.bulk_create(User(username=f"user{number}") for number in range(3))
    a_trigger(probe.AwaitTogetherAction(event_type=AWAITED), probe.RecordEffectAction())
    run_ids = [run.pk for run in fire(probe.ProbeEvent, users=people).runs.order_by("pk")]
    assert len(advance(run_ids)) == 3
    fire(TaskCompletedEvent, users=people[:2])
    assert sorted(engine.woken) == sorted(run_ids[:2])
    advance(run_ids)
    assert effects() == {"effect": 2}


def test_a_run_that_waits_can_be_cancelled(ada, engine):
    run = begun(ada)
    assert running.cancel([run.pk]) == 1
    run.refresh_from_db()
    assert (run.status, run.code) == ("cancelled", "cancelled")
    fire(TaskCompletedEvent, users=ada)
    assert not engine.woken


# What the sweep finds.


def test_the_sweep_finds_runs_of_whose_event_nobody_told_them(ada, engine):
    run = begun(ada)
    with nobody_looks():
        occurrence = fire(TaskCompletedEvent, users=ada)
    sweeping.sweep("celery")
    assert not engine.woken  # the process that recorded it has a while to do so
    long_ago = timezone.now() - timedelta(hours=1)
    Run.objects.update(awaited_since=long_ago)
    Happening.objects.update(recorded_at=long_ago)
    sweeping.sweep("celery")
    assert engine.woken == [run.pk]
    assert Happening.objects.get().looked_at is not None
    assert Run.objects.get().woken_by_id == occurrence.pk


def test_the_sweep_finds_events_that_came_before_the_wait_was_seen(ada, engine):
    journey()
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    perform = probe.AwaitAction.perform

    def perform_and_let_it_happen(action, user, context):
        fire(TaskCompletedEvent, users=user)
        return perform(action, user, context)

    with nobody_looks(), mock.patch.object(probe.AwaitAction, "perform", perform_and_let_it_happen):
        advance([run.pk])
    run.refresh_from_db()
    assert run.is_awaiting
    assert run.next_handover_at < run.due_at
    Happening.objects.update(looked_at=timezone.now())  # when the wait was not to be seen
    Run.objects.update(next_handover_at=timezone.now() - timedelta(seconds=1))
    engine.started.clear()
    sweeping.sweep("celery")
    assert (engine.woken, engine.started) == ([run.pk], [])


def test_the_sweep_leaves_runs_that_wait_alone_until_they_are_due(ada, engine):
    run = begun(ada)
    assert run.next_handover_at == run.due_at
    Run.objects.update(next_handover_at=timezone.now() - timedelta(seconds=1))
    engine.started.clear()
    sweeping.sweep("celery")
    run.refresh_from_db()
    assert (run.next_handover_at, engine.started) == (run.due_at, [])
    past = timezone.now() - timedelta(seconds=1)
    Run.objects.update(due_at=past, next_handover_at=past)
    sweeping.sweep("celery")
    assert engine.started == [run.pk]


def test_a_wake_that_the_engine_did_not_hear_of_is_handed_over_by_the_sweep(ada, engine):
    run = begun(ada)
    fire(TaskCompletedEvent, users=ada)
    engine.woken.clear()
    run.refresh_from_db()
    assert run.next_handover_at <= timezone.now() + timedelta(minutes=1)
    Run.objects.update(next_handover_at=timezone.now() - timedelta(seconds=1))
    engine.started.clear()
    sweeping.sweep("celery")
    assert engine.started == [run.pk]


def test_a_look_within_a_transaction_of_the_caller_comes_after_its_commit(ada, engine):
    trigger = journey()
    event = trigger.events.get()
    with transaction.atomic():
        event.handle(ada.pk)
        run = Run.objects.get()
        assert run.next_handover_at < run.due_at
    run.refresh_from_db()
    assert run.next_handover_at == run.due_at


def test_occurrences_say_nothing_of_waits(ada):
    """Waits are no matches: an event that nothing is configured for has none, though it wakes a run."""
    begun(ada)
    occurrence = Occurrence.objects.get(pk=fire(TaskCompletedEvent, users=ada).pk)
    assert (occurrence.matches, occurrence.runs.count()) == ([], 0)


def test_a_journey_in_a_test_case_is_woken_by_run_triggers(ada, run_to_the_end):
    with transaction.atomic():
        journey()
        fire(probe.ProbeEvent, users=ada)
        run_triggers()
        fire(TaskCompletedEvent, users=ada)
        run_triggers()
        assert effects() == {"effect": 1}
        assert_fired(TaskCompletedEvent, user=ada, times=1)
