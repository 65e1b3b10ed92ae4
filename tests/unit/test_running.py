from datetime import timedelta
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.utils import timezone

from tests.acceptance.scenario import a_trigger, counted, effects
from tests.probe import models as probe
from tests.unit.conftest import FAR, ids
from triggers import conf, current_step, fire, flow
from triggers.context import decode
from triggers.exceptions import ContextInvalid, PermanentError, RetryAfter
from triggers.execution import CurrentStep
from triggers.models import (
    Action,
    ActionCountCondition,
    ActionFrequencyCondition,
    Activity,
    Condition,
    Event,
    Occurrence,
    Run,
    Step,
    Trigger,
)
from triggers.running import Remaining, advance, advancing
from triggers.running.lease import Lease
from triggers.testing import without_broker

pytestmark = pytest.mark.django_db


def steps(run):
    return [(step.position, step.type.removeprefix("probe."), step.status, step.attempts) for step in run.steps.all()]


def test_actions_are_performed_in_the_order_of_their_positions(ada, run_to_the_end):
    trigger = a_trigger(probe.RecordEffectAction(label="a"), probe.RecordEffectAction(label="b"))
    Action.objects.filter(pk=trigger.actions.first().pk).update(position=7)
    (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
    assert (run.status, run.position, run.steps_succeeded) == ("succeeded", 2, 2)
    assert list(probe.Effect.objects.order_by("pk").values_list("label", "key")) == [
        ("b", f"{run.pk}:0"),
        ("a", f"{run.pk}:1"),
    ]


@pytest.mark.parametrize("fails", [False, True])
def test_what_an_action_keeps_is_the_result_of_its_step_however_it_ends(ada, run_to_the_end, fails):
    a_trigger(probe.KeepAction())
    at = timezone.now()
    (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada, context={"number": 7, "at": at, "fails": fails}))
    assert run.status == ("failed" if fails else "succeeded")
    assert decode(run.steps.get().result) == {"number": 7, "at": at}


def test_what_cannot_be_kept_fails_the_step_and_perform_many_keeps_nothing():
    step = CurrentStep(depth=0, key="a:0")
    step.keep(a=1)
    with pytest.raises(ContextInvalid, match="result/b"):
        step.keep(b=object())
    assert step.record == {"result": {"a": 1}}
    with pytest.raises(RuntimeError, match="perform_many"):
        CurrentStep(depth=0).keep(a=1)


def test_advancing_twice_changes_nothing(ada):
    a_trigger(probe.RecordEffectAction())
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    assert advance([run.pk]) == []
    assert advance([run.pk]) == []
    assert effects() == {"effect": 1}


def test_advancing_early_answers_when(ada):
    a_trigger(probe.RecordEffectAction())
    run = fire(probe.ProbeEvent, users=ada, delay=timedelta(hours=1)).runs.get()
    assert advance([run.pk]) == [Remaining(run.pk, run.due_at, False)]
    assert not effects()
    assert advance([run.pk], now=run.due_at) == []
    assert effects() == {"effect": 1}


def test_a_run_in_anothers_hands_is_answered_with_its_leases_end(ada):
    a_trigger(probe.RecordEffectAction())
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    until = timezone.now() + timedelta(minutes=1)
    Run.objects.filter(pk=run.pk).update(status="running", token=run.pk, lease_until=until)
    assert advance([run.pk], now=FAR) == [Remaining(run.pk, until, True)]
    assert not effects()


def test_a_run_whose_worker_was_lost_is_claimed_alone_and_not_for_ever(ada, bob, settings):
    settings.TRIGGERS_MAX_LOSSES = 2
    trigger = a_trigger(probe.RecordEffectAction())
    lost, other = fire(probe.ProbeEvent, users=[ada, bob]).runs.order_by("user_id")

    def lose():
        past = timezone.now() - timedelta(seconds=1)
        Run.objects.filter(pk=lost.pk).update(status="running", token=lost.pk, lease_until=past)

    lose()
    assert [run.run_id for run in advance([lost.pk, other.pk])] == [lost.pk]
    Run.objects.filter(pk=lost.pk).update(losses=1)
    assert advance([lost.pk]) == []
    lost.refresh_from_db()
    assert (lost.status, lost.code, lost.losses) == ("failed", "worker_lost", 2)
    assert effects() == {"effect": 1}
    assert counted(trigger) == {bob.pk: 1}


def two_on_their_last_chance(*users):
    """A run whose last worker was just lost, and one that another worker performs, with the end of that one's lease."""
    a_trigger(probe.RecordEffectAction())
    lost, held = fire(probe.ProbeEvent, users=users).runs.order_by("user_id")
    now = timezone.now()
    soon, past = now + timedelta(minutes=1), now - timedelta(seconds=1)
    Run.objects.filter(pk=held.pk).update(status="running", token=held.pk, lease_until=soon, losses=2)
    Run.objects.filter(pk=lost.pk).update(status="running", token=lost.pk, lease_until=past, losses=1)
    return lost, held, soon


def test_two_runs_on_their_last_chance_are_not_performed_at_the_same_time(ada, bob):
    suspect, other, soon = two_on_their_last_chance(ada, bob)
    ((_, due_at, is_held),) = advance([suspect.pk])
    assert due_at is not None
    assert due_at >= soon
    assert is_held
    assert not effects()
    # Nor does it travel with others.
    assert [run.run_id for run in advance([suspect.pk, other.pk], now=FAR)] == [suspect.pk, other.pk]
    Run.objects.filter(pk=other.pk).update(status="failed", lease_until=None)
    assert advance([suspect.pk], now=FAR) == []
    assert effects() == {"effect": 1}


def test_a_worker_lost_before_a_last_chance_began_is_not_lost_over_it(ada, bob, monkeypatch):
    innocent, _culprit, _soon = two_on_their_last_chance(ada, bob)
    with monkeypatch.context() as here:
        # The other run ends the process that both are in just when this one has seen that it is not alone.
        here.setattr(Lease, "give_up", Mock(side_effect=SystemExit))
        with pytest.raises(SystemExit):
            advance([innocent.pk])
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert advance([innocent.pk]) == []
    innocent.refresh_from_db()
    assert (innocent.status, innocent.losses) == ("succeeded", 2)


def test_conditions_are_evaluated_again_when_the_run_starts(ada, run_to_the_end):
    a_trigger(probe.RecordEffectAction(), conditions=[probe.UsernameCondition(prefix="a")])
    occurrence = fire(probe.ProbeEvent, users=ada)
    User.objects.update(username="eve")
    (run,) = run_to_the_end(occurrence)
    assert (run.status, run.code) == ("skipped", "condition_failed")
    assert not effects()
    assert not Activity.objects.exclude(action_count=0).exists()


def test_a_condition_may_look_at_the_context(ada, run_to_the_end):
    a_trigger(probe.RecordEffectAction(), conditions=[probe.ContextCondition(key="wanted")])
    fire(probe.ProbeEvent, users=ada, context={"wanted": 1})
    fire(probe.ProbeEvent, users=ada)
    assert [run.status for run in run_to_the_end()] == ["succeeded", "skipped"]


def test_a_condition_that_raises_for_one_user_does_not_concern_the_others(ada, bob, run_to_the_end):
    a_trigger(probe.RecordEffectAction(), conditions=[probe.RaisingCondition(usernames="ada")])
    fire(probe.ProbeEvent, users=[ada, bob])
    assert {run.user: (run.status, run.code) for run in run_to_the_end()} == {
        ada: ("failed", "condition_error"),
        bob: ("succeeded", ""),
    }


def test_a_database_error_in_a_condition_is_that_conditions(ada, bob, run_to_the_end, monkeypatch):
    def broken(self, user_queryset):
        return user_queryset.extra(where=["no_such_column = 1"])

    trigger = a_trigger(probe.RecordEffectAction(), name="broken", conditions=[probe.UsernameCondition(prefix="a")])
    whole = a_trigger(probe.RecordEffectAction(), name="whole")
    fire(probe.ProbeEvent, users=ada)
    monkeypatch.setattr(probe.UsernameCondition, "filter_user_queryset", broken)
    assert {run.trigger_id: (run.status, run.code) for run in run_to_the_end()} == {
        trigger.pk: ("failed", "condition_error"),
        whole.pk: ("succeeded", ""),
    }


def test_a_skipped_run_says_what_was_required_and_observed(ada, run_to_the_end):
    condition = ActionCountCondition(limit=1)
    a_trigger(probe.RecordEffectAction(), conditions=[condition])
    fire(probe.ProbeEvent, users=ada)
    fire(probe.ProbeEvent, users=ada)
    first, second = run_to_the_end()
    assert first.status == "succeeded"
    assert (second.status, second.code) == ("skipped", "limit_reached")
    assert second.detail == (
        "The condition “action count no more than 1” does not hold. "
        "Required: at most 1 time for each person. Observed: 1 time so far."
    )
    assert second.decision == {
        "condition": condition.pk,
        "type": "triggers.ActionCountCondition",
        "name": "action count no more than 1",
        "required": "at most 1 time for each person",
        "observed": "1 time so far",
    }


def test_the_frequency_limit_says_when_the_last_time_was(ada, run_to_the_end):
    trigger = a_trigger(probe.RecordEffectAction(), conditions=[ActionFrequencyCondition(limit=timedelta(days=1))])
    fire(probe.ProbeEvent, users=ada)
    run_to_the_end()
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    assert run.code == "limit_reached"
    assert run.decision["required"] == "at least 1 day between two times"
    assert run.decision["observed"].startswith("last time on ")
    Activity.objects.update(last_action_datetime=timezone.now() - timedelta(days=1, seconds=1))
    (again,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
    assert again.status == "succeeded"
    assert counted(trigger) == {ada.pk: 2}


@pytest.mark.parametrize(("limit", "times"), [(timedelta(days=10**8), 1), (timedelta(days=-(10**8)), 2)])
def test_the_frequency_limit_may_be_any_there_is(ada, run_to_the_end, limit, times):
    trigger = a_trigger(probe.RecordEffectAction(), conditions=[ActionFrequencyCondition(limit=limit)])
    for _ in range(2):
        fire(probe.ProbeEvent, users=ada)
        run_to_the_end()
    assert counted(trigger) == {ada.pk: times}
    assert Run.objects.filter(code="limit_reached").count() == 2 - times


def test_one_triggers_activity_never_counts_for_another(ada, run_to_the_end):
    for name in ("one", "two"):
        a_trigger(probe.RecordEffectAction(), name=name, conditions=[ActionCountCondition(limit=1)])
    # A product of two exclude() conditions would let one trigger's row and another's limit meet.
    Activity.objects.create(trigger=Trigger.objects.get(name="one"), user=ada, action_count=5)
    fire(probe.ProbeEvent, users=ada)
    assert {run.trigger_name: run.status for run in run_to_the_end()} == {
        "one": "skipped",
        "two": "succeeded",
    }


def test_two_runs_of_one_user_in_one_chunk_share_the_limit(ada, run_to_the_end):
    trigger = a_trigger(probe.RecordEffectAction(), conditions=[ActionCountCondition(limit=2)])
    for _ in range(4):
        fire(probe.ProbeEvent, users=ada)
    assert sorted(run.status for run in run_to_the_end()) == ["skipped", "skipped", "succeeded", "succeeded"]
    assert counted(trigger) == {ada.pk: 2}


class TestAttempts:
    def test_a_retry_resumes_at_the_failed_step(self, ada, tmp_path, run_to_the_end):
        a_trigger(
            probe.RecordEffectAction(label="first"),
            probe.FlakyAction(folder=tmp_path, fail_times=2, label="second"),
            probe.RecordEffectAction(label="third"),
        )
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert run.status == "succeeded"
        assert steps(run) == [
            (0, "RecordEffectAction", "succeeded", 1),
            (1, "FlakyAction", "succeeded", 3),
            (2, "RecordEffectAction", "succeeded", 1),
        ]
        assert effects() == {"first": 1, "second": 1, "third": 1}

    def test_pauses_grow_and_errors_are_kept_without_values(self, ada, tmp_path):
        a_trigger(probe.FlakyAction(folder=tmp_path, fail_times=4))
        run = fire(probe.ProbeEvent, users=ada, context={"secret": "hunter2"}).runs.get()
        pauses = []
        now = timezone.now()
        for attempt in (1, 2, 3):
            ((_, due_at, held),) = advance([run.pk], now=now)
            assert not held
            pauses.append((due_at - now).total_seconds())
            now = due_at
            step = run.steps.get()
            assert (step.status, step.attempts, step.error_type) == ("waiting", attempt, "RuntimeError")
            assert step.error_message == f"attempt {attempt} fails"
        assert 0.15 <= pauses[0] <= 0.35 <= pauses[2] <= 1.1
        assert "perform" in step.error_traceback
        assert "hunter2" not in step.error_traceback
        run.refresh_from_db()
        assert run.status == "waiting"

    def test_the_last_attempt_fails_the_run_and_gives_its_place_back(self, ada, run_to_the_end):
        trigger = a_trigger(probe.RaisingAction(), probe.RecordEffectAction())
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert (run.status, run.code) == ("failed", "action_failed")
        assert run.detail.endswith("failed after 2 of 2 attempts (RuntimeError).")
        assert run.steps.get().error_message == "it does not work"
        assert steps(run) == [(0, "RaisingAction", "failed", 2)]
        assert counted(trigger) == {ada.pk: 0}
        assert Activity.objects.get().last_action_datetime is None
        assert not effects()

    def test_a_place_is_kept_once_a_step_has_succeeded(self, ada, run_to_the_end):
        trigger = a_trigger(probe.RecordEffectAction(), probe.RefusingAction())
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert (run.status, run.code) == ("failed", "action_failed")
        assert counted(trigger) == {ada.pk: 1}

    def test_a_permanent_error_is_not_tried_again(self, ada, run_to_the_end):
        a_trigger(probe.RefusingAction())
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert steps(run) == [(0, "RefusingAction", "failed", 1)]

    def test_an_action_may_say_when_to_try_again(self, ada, tmp_path, monkeypatch):
        a_trigger(probe.ImpatientAction(folder=tmp_path, seconds=120))
        run = fire(probe.ProbeEvent, users=ada).runs.get()
        before = timezone.now()
        ((_, due_at, _held),) = advance([run.pk])
        assert timedelta(seconds=119) < due_at - before < timedelta(seconds=122)
        assert RetryAfter(5).seconds == 5

    def test_a_run_may_go_on_after_a_failed_action(self, ada, run_to_the_end):
        a_trigger(probe.RefusingAction(on_failure="continue"), probe.RecordEffectAction())
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert (run.status, run.detail) == ("succeeded", "1 of its actions failed.")
        assert steps(run) == [(0, "RefusingAction", "failed", 1), (1, "RecordEffectAction", "succeeded", 1)]

    def test_a_run_whose_actions_all_failed_has_failed(self, ada, run_to_the_end):
        trigger = a_trigger(probe.RefusingAction(on_failure="continue"), probe.RefusingAction(on_failure="continue"))
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert (run.status, run.code) == ("failed", "action_failed")
        assert len(steps(run)) == 2
        assert counted(trigger) == {ada.pk: 0}

    def test_a_declining_action_gives_the_place_back_even_after_a_success(self, ada, monkeypatch, run_to_the_end):
        def decline(self, user, context):
            raise Activity.Cancel("not today")

        monkeypatch.setattr(probe.RefusingAction, "perform", decline)
        trigger = a_trigger(probe.RecordEffectAction(), probe.RefusingAction())
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert (run.status, run.code) == ("cancelled", "action_declined")
        assert run.detail.endswith("declined to act on this user: not today")
        assert counted(trigger) == {ada.pk: 0}

    def test_an_answer_that_means_nothing_is_noted_and_ignored(self, ada, run_to_the_end):
        a_trigger(probe.NonsenseAction())
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert run.status == "succeeded"
        assert run.steps.get().detail == "perform returned int, which was ignored."

    def test_an_async_action_fails_and_is_not_left_unawaited(self, ada, monkeypatch, run_to_the_end):
        async def perform(self, user, context):
            raise AssertionError

        monkeypatch.setattr(probe.RecordEffectAction, "perform", perform)
        a_trigger(probe.RecordEffectAction())
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert (run.status, run.steps.get().error_type) == ("failed", "PermanentError")

    def test_an_action_that_never_returns_is_interrupted(self, ada, bob, run_to_the_end):
        a_trigger(probe.HangingAction(victim="ada"))
        fire(probe.ProbeEvent, users=[ada, bob])
        first, second = run_to_the_end()
        assert (first.status, first.steps.get().error_type) == ("failed", "ActionTimedOut")
        assert second.status == "succeeded"

    def test_get_user_context_that_raises_concerns_that_run_only(self, ada, bob, monkeypatch, run_to_the_end):
        def get_user_context(self, user, context):
            if user.username == "ada":
                raise RuntimeError("no context")
            return {"user": user, **context}

        monkeypatch.setattr(probe.ProbeEvent, "get_user_context", get_user_context)
        a_trigger(probe.RecordEffectAction())
        fire(probe.ProbeEvent, users=[ada, bob])
        first, second = run_to_the_end()
        assert (first.status, first.steps.get().error_message) == ("failed", "no context")
        assert second.status == "succeeded"

    def test_each_action_gets_a_context_of_its_own(self, ada, monkeypatch, run_to_the_end):
        seen = []

        def perform(self, user, context):
            seen.append(dict(context))
            context["left behind"] = True

        monkeypatch.setattr(probe.RecordEffectAction, "perform", perform)
        a_trigger(probe.RecordEffectAction(), probe.RecordEffectAction())
        run_to_the_end(fire(probe.ProbeEvent, users=ada, context={"at": 1}))
        assert seen == [{"user": ada, "at": 1}] * 2


class TestFlow:
    def test_a_wait_holds_the_next_action_back(self, ada, run_to_the_end):
        a_trigger(probe.WaitAction(seconds=3600), probe.RecordEffectAction())
        run = fire(probe.ProbeEvent, users=ada).runs.get()
        ((_, due_at, _held),) = advance([run.pk])
        assert timedelta(minutes=59) < due_at - timezone.now() <= timedelta(hours=1)
        assert advance([run.pk]) == [Remaining(run.pk, due_at, False)]
        assert not effects()
        run.refresh_from_db()
        assert run.status == "waiting"
        run_to_the_end()
        assert effects() == {"effect": 1}

    def test_waits_are_counted_from_the_callers_time(self, ada):
        a_trigger(probe.WaitAction(seconds=3600), probe.WaitAction(seconds=3600), probe.RecordEffectAction())
        run = fire(probe.ProbeEvent, users=ada).runs.get()
        ((_, first, _held),) = advance([run.pk])
        ((_, second, _held),) = advance([run.pk], now=first)
        assert timedelta(hours=1) <= second - first < timedelta(hours=1, seconds=5)
        assert advance([run.pk], now=second) == []
        assert effects() == {"effect": 1}

    def test_a_stop_ends_the_run_with_its_reason(self, ada, run_to_the_end):
        a_trigger(probe.StopAction(), probe.RecordEffectAction())
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert (run.status, run.code, run.detail) == ("succeeded", "stopped", "that is enough")
        assert not effects()

    def test_a_wait_needs_a_time_zone(self):
        with pytest.raises(ValueError, match="time zone"):
            flow.Wait(timezone.now().replace(tzinfo=None))


class TestMany:
    def test_a_chunk_is_served_by_one_call(self, django_assert_num_queries, run_to_the_end):
        users = User.objects.bulk_create(User(username=f"user{number}") for number in range(5))
        a_trigger(probe.RecordEffectAction(label="first"), probe.BulkEffectAction(), probe.RecordEffectAction())
        fire(probe.ProbeEvent, users=users)
        runs = run_to_the_end()
        assert [run.status for run in runs] == ["succeeded"] * 5
        assert effects() == {"first": 5, "bulk": 5, "effect": 5}
        assert all(len(steps(run)) == 3 for run in runs)
        keys = set(probe.Effect.objects.filter(label="bulk").values_list("key", flat=True))
        assert keys == {f"{run.pk}:1" for run in runs}

    def test_an_exception_rolls_back_and_each_is_tried_alone(self, ada, run_to_the_end):
        broken = User.objects.create(username="broken")
        a_trigger(probe.BulkEffectAction())
        fire(probe.ProbeEvent, users=[ada, broken])
        assert {run.user: run.status for run in run_to_the_end()} == {ada: "succeeded", broken: "failed"}
        assert effects() == {"bulk": 1}

    @pytest.mark.parametrize("atomic", [True, False])
    def test_each_user_may_be_answered_differently(self, monkeypatch, run_to_the_end, atomic):
        answers = {
            "a": None,
            "b": PermanentError("no"),
            "c": Activity.Cancel("not now"),
            "d": flow.Stop("enough"),
            "e": RuntimeError("later"),
        }

        def perform_many(self, calls):
            return [answers[call.user.username] for call in calls]

        monkeypatch.setattr(probe.BulkEffectAction, "perform_many", perform_many)
        monkeypatch.setattr(probe.BulkEffectAction, "atomic", atomic)
        users = [User.objects.create(username=name) for name in answers]
        trigger = a_trigger(probe.BulkEffectAction())
        runs = fire(probe.ProbeEvent, users=users).runs
        advance(ids(runs.all()))
        assert {run.user.username: (run.status, run.code) for run in runs.all()} == {
            "a": ("succeeded", ""),
            "b": ("failed", "action_failed"),
            "c": ("skipped", "action_declined"),
            "d": ("succeeded", "stopped"),
            "e": ("waiting", ""),
        }
        assert {user.username: counted(trigger)[user.pk] for user in users} == {
            "a": 1,
            "b": 0,
            "c": 0,
            "d": 1,
            "e": 1,
        }
        # What failed is tried again alone.
        run_to_the_end()
        assert runs.get(user__username="e").status == "succeeded"
        assert effects() == {"bulk": 1}

    def test_an_exception_outside_a_transaction_is_an_attempt_of_each(self, ada, bob, monkeypatch, run_to_the_end):
        monkeypatch.setattr(probe.BulkEffectAction, "atomic", False)
        broken = User.objects.create(username="broken")
        a_trigger(probe.BulkEffectAction())
        fire(probe.ProbeEvent, users=[ada, broken])
        assert {run.user: (run.status, run.steps.get().attempts) for run in run_to_the_end()} == {
            ada: ("succeeded", 2),
            broken: ("failed", 2),
        }

    def test_a_wrong_number_of_answers_is_the_actions_fault(self, ada, bob, monkeypatch, run_to_the_end):
        monkeypatch.setattr(probe.BulkEffectAction, "atomic", False)
        monkeypatch.setattr(probe.BulkEffectAction, "perform_many", lambda self, calls: [None])
        a_trigger(probe.BulkEffectAction())
        fire(probe.ProbeEvent, users=[ada, bob])
        assert [run.status for run in run_to_the_end()] == ["failed", "failed"]


@pytest.fixture
def gone_type(db):
    """The type of a class that is not installed."""
    return ContentType.objects.create(app_label="gone", model="gone")


class TestEditing:
    def test_a_trigger_disabled_before_the_start(self, ada, run_to_the_end):
        trigger = a_trigger(probe.RecordEffectAction())
        occurrence = fire(probe.ProbeEvent, users=ada)
        Trigger.objects.filter(pk=trigger.pk).update(is_enabled=False)
        (run,) = run_to_the_end(occurrence)
        assert (run.status, run.code) == ("skipped", "trigger_disabled")

    def test_a_trigger_disabled_under_way(self, ada, run_to_the_end):
        trigger = a_trigger(probe.WaitAction(seconds=1), probe.RecordEffectAction())
        occurrence = fire(probe.ProbeEvent, users=ada)
        advance(ids(occurrence.runs.all()))
        Trigger.objects.filter(pk=trigger.pk).update(is_enabled=False)
        (run,) = run_to_the_end(occurrence)
        assert (run.status, run.code) == ("cancelled", "trigger_disabled")
        assert not effects()

    @pytest.mark.parametrize("begun", [False, True])
    def test_a_trigger_deleted_while_a_run_is_under_way(self, ada, run_to_the_end, begun):
        trigger = a_trigger(probe.WaitAction(seconds=1), probe.RecordEffectAction())
        occurrence = fire(probe.ProbeEvent, users=ada)
        if begun:
            advance(ids(occurrence.runs.all()))
        trigger.delete()
        (run,) = run_to_the_end(occurrence)
        assert (run.status, run.code, run.trigger_name) == (
            "cancelled" if begun else "skipped",
            "trigger_deleted",
            "probe",
        )

    def test_an_event_removed_from_its_trigger(self, ada, run_to_the_end):
        trigger = a_trigger(probe.RecordEffectAction())
        occurrence = fire(probe.ProbeEvent, users=ada)
        trigger.events.get().delete()
        (run,) = run_to_the_end(occurrence)
        assert (run.status, run.code) == ("skipped", "event_deleted")

    def test_deleting_a_user_removes_their_runs(self, ada, bob, run_to_the_end):
        a_trigger(probe.WaitAction(seconds=1), probe.RecordEffectAction())
        occurrence = fire(probe.ProbeEvent, users=[ada, bob])
        advance(ids(occurrence.runs.all()))
        ada.delete()
        (run,) = run_to_the_end(occurrence)
        assert (run.user, run.status) == (bob, "succeeded")
        assert not Step.objects.exclude(run=run).exists()

    def test_a_user_gone_behind_djangos_back(self, ada, run_to_the_end):
        a_trigger(probe.RecordEffectAction())
        occurrence = fire(probe.ProbeEvent, users=ada)
        User.objects.filter(pk=ada.pk)._raw_delete(using="default")
        (run,) = run_to_the_end(occurrence)
        assert (run.status, run.code) == ("skipped", "user_gone")

    @pytest.mark.parametrize("component", [Condition, Action])
    def test_a_component_whose_class_was_uninstalled(self, ada, run_to_the_end, component, gone_type):
        a_trigger(
            probe.RecordEffectAction(),
            probe.RecordEffectAction(),
            conditions=[probe.UsernameCondition(prefix="a")],
        )
        occurrence = fire(probe.ProbeEvent, users=ada)
        row = component.objects.non_polymorphic().first()
        component.objects.non_polymorphic().filter(pk=row.pk).update(polymorphic_ctype=gone_type)
        (run,) = run_to_the_end(occurrence)
        assert (run.status, run.code) == ("failed", "component_missing")
        assert "gone.gone" in run.detail
        later = fire(probe.ProbeEvent, users=ada)
        assert [match["code"] for match in later.matches] == ["component_missing"]
        assert not effects()

    @pytest.mark.django_db(transaction=True)
    def test_a_trigger_with_a_part_whose_class_was_uninstalled_can_be_deleted(self, gone_type):
        trigger = a_trigger(probe.StopAction(), conditions=[probe.UsernameCondition(prefix="a")])
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM probe_stopaction")
        Action.objects.non_polymorphic().update(polymorphic_ctype=gone_type)
        trigger.delete()
        assert not Trigger.objects.exists()
        assert not Action.objects.non_polymorphic().exists()

    def test_a_condition_whose_own_row_is_gone_does_not_hold_for_everybody(self, ada, run_to_the_end):
        condition = probe.UsernameCondition(prefix="b")
        a_trigger(probe.RecordEffectAction(), conditions=[condition])
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM probe_usernamecondition")
        assert [match["code"] for match in fire(probe.ProbeEvent, users=ada).matches] == ["component_missing"]

    def test_an_action_added_and_one_removed_between_attempts(self, ada, tmp_path, run_to_the_end):
        flaky = probe.FlakyAction(folder=tmp_path, fail_times=9)
        trigger = a_trigger(probe.RecordEffectAction(label="first"), flaky)
        occurrence = fire(probe.ProbeEvent, users=ada)
        advance(ids(occurrence.runs.all()))
        flaky.delete()
        probe.RecordEffectAction.objects.create(trigger=trigger, position=5, label="last")
        (run,) = run_to_the_end(occurrence)
        assert (run.status, run.detail) == ("succeeded", "")
        assert [status for _, _, status, _ in steps(run)] == ["succeeded", "skipped", "succeeded"]
        assert effects() == {"first": 1, "last": 1}


class TestPlaces:
    """What is counted in the Activity, and given back."""

    def moments(self):
        return Activity.objects.get().last_action_datetime

    def test_giving_back_restores_the_time_before(self, ada, run_to_the_end):
        trigger = a_trigger(probe.RecordEffectAction())
        run_to_the_end(fire(probe.ProbeEvent, users=ada))
        before = self.moments()
        trigger.actions.all().delete()
        probe.RefusingAction.objects.create(trigger=trigger)
        run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert self.moments() == before
        assert counted(trigger) == {ada.pk: 1}

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0), (0, 2, 1), (2, 0, 1)])
    def test_places_given_back_in_any_order_restore_the_time_before_all(self, ada, monkeypatch, order):
        trigger = a_trigger(probe.RaisingAction())
        start = timezone.now() - timedelta(days=1)
        Activity.objects.create(trigger=trigger, user=ada, action_count=4, last_action_datetime=start)
        runs = [fire(probe.ProbeEvent, users=ada).runs.get() for _ in range(3)]
        for run in runs:
            advance([run.pk])  # fails and waits for its second attempt, holding its place
        assert counted(trigger) == {ada.pk: 7}
        moments = [Run.objects.get(pk=run.pk).reserved_at for run in runs]
        left = dict(enumerate(moments))
        for index in order:
            advance([runs[index].pk], now=FAR)
            del left[index]
            assert self.moments() == max(left.values(), default=start)
        assert counted(trigger) == {ada.pk: 4}

    def test_a_run_kept_out_only_by_a_place_that_may_be_given_back_is_postponed(self, ada):
        trigger = a_trigger(probe.RaisingAction(), conditions=[ActionCountCondition(limit=1)])
        holder = fire(probe.ProbeEvent, users=ada).runs.get()
        advance([holder.pk])
        other = fire(probe.ProbeEvent, users=ada).runs.get()
        ((_, due_at, _held),) = advance([other.pk])
        other.refresh_from_db()
        assert (other.status, other.postponements, other.due_at) == ("pending", 1, due_at)
        assert counted(trigger) == {ada.pk: 1}
        # The holder gives its place back: the other is due at once, and named to the engine.
        assert advance([holder.pk], now=FAR) == [Remaining(other.pk, None, False)]
        other.refresh_from_db()
        assert other.due_at is None
        advance([other.pk])
        other.refresh_from_db()
        assert (other.status, other.steps.count()) == ("waiting", 1)

    def test_a_postponed_run_of_another_engine_is_left_to_that_engines_sweep(self, ada):
        trigger = a_trigger(probe.RaisingAction(), conditions=[ActionCountCondition(limit=1)])
        holder = fire(probe.ProbeEvent, users=ada).runs.get()
        advance([holder.pk])
        trigger.engine = "temporal"
        trigger.save()
        with without_broker():
            other = fire(probe.ProbeEvent, users=ada).runs.get()
        assert (holder.engine, other.engine) == ("celery", "temporal")
        advance([other.pk])
        assert advance([holder.pk], now=FAR) == []
        other.refresh_from_db()
        assert (other.status, other.postponements, other.due_at) == ("pending", 1, None)
        assert other.next_handover_at <= timezone.now() + conf.handover_grace()

    def test_a_postponed_run_is_skipped_once_the_place_is_taken_for_good(self, ada, tmp_path, run_to_the_end):
        trigger = a_trigger(
            probe.FlakyAction(folder=tmp_path, fail_times=1), conditions=[ActionCountCondition(limit=1)]
        )
        holder = fire(probe.ProbeEvent, users=ada).runs.get()
        advance([holder.pk])
        other = fire(probe.ProbeEvent, users=ada).runs.get()
        advance([other.pk])
        advance([holder.pk], now=FAR)
        advance([other.pk], now=FAR)
        other.refresh_from_db()
        assert (other.status, other.code) == ("skipped", "limit_reached")
        assert counted(trigger) == {ada.pk: 1}

    def test_a_run_that_another_condition_keeps_out_too_is_skipped(self, ada):
        a_trigger(
            probe.RaisingAction(),
            conditions=[ActionCountCondition(limit=1), probe.UsernameCondition(prefix="a")],
        )
        holder = fire(probe.ProbeEvent, users=ada).runs.get()
        advance([holder.pk])
        other = fire(probe.ProbeEvent, users=ada).runs.get()
        User.objects.update(username="eve")
        assert advance([other.pk]) == []
        other.refresh_from_db()
        assert other.status == "skipped"

    def test_a_run_that_holds_its_place_never_evaluates_limits_again(self, ada, tmp_path, run_to_the_end):
        a_trigger(probe.FlakyAction(folder=tmp_path, fail_times=3), conditions=[ActionCountCondition(limit=1)])
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert run.status == "succeeded"

    def test_a_run_cancelled_before_any_success_gives_its_place_back(self, ada, run_to_the_end):
        trigger = a_trigger(probe.RaisingAction())
        occurrence = fire(probe.ProbeEvent, users=ada)
        advance(ids(occurrence.runs.all()))
        Trigger.objects.update(is_enabled=False)
        run_to_the_end(occurrence)
        assert counted(trigger) == {ada.pk: 0}


class TestCauses:
    def test_an_event_fired_by_an_action_knows_its_cause(self, ada, run_to_the_end):
        a_trigger(probe.ChainAction(), event=probe.PickyEvent())
        trigger = Trigger.objects.get()
        run = trigger.events.get()
        run.handle(ada.pk)
        caused = Occurrence.objects.get(type="probe.ProbeEvent")
        assert (caused.depth, caused.cause_id) == (1, Run.objects.get().pk)
        assert current_step() is None

    def test_a_chain_without_end_is_cut_with_the_reason(self, ada, settings, run_to_the_end):
        settings.TRIGGERS_MAX_DEPTH = 3
        a_trigger(probe.ChainAction())
        fire(probe.ProbeEvent, users=ada)
        runs = run_to_the_end()
        assert [run.status for run in runs] == ["succeeded"] * 4
        last = Occurrence.objects.latest("depth")
        assert (last.depth, last.code, last.runs.count()) == (4, "depth_exceeded", 0)
        assert "TRIGGERS_MAX_DEPTH" in last.detail


@pytest.mark.django_db(transaction=True)
class TestCommits:
    def test_an_event_fired_on_commit_knows_its_cause(self, ada):
        a_trigger(probe.ChainAction(on_commit=True), event=probe.PickyEvent())
        Event.objects.get().handle(ada.pk)
        assert Occurrence.objects.get(type="probe.ProbeEvent").depth == 1

    def test_an_on_commit_hook_that_raises_does_not_undo_the_step(self, ada, monkeypatch):
        def perform(self, user, context):
            probe.new_effect(user, "done").save()

            def raise_():
                raise RuntimeError

            transaction.on_commit(raise_)

        monkeypatch.setattr(probe.RecordEffectAction, "perform", perform)
        a_trigger(probe.RecordEffectAction(), probe.WaitAction())
        Event.objects.get().handle(ada.pk)
        run = Run.objects.get()
        assert [step.status for step in run.steps.all()] == ["succeeded", "succeeded"]
        assert effects() == {"done": 1}

    def test_a_step_settled_by_another_worker_rolls_back(self, ada, monkeypatch):
        def perform(self, user, context):
            probe.new_effect(user, "zombie").save()
            Run.objects.update(token=None)

        monkeypatch.setattr(probe.RecordEffectAction, "perform", perform)
        a_trigger(probe.RecordEffectAction())
        Event.objects.get().handle(ada.pk)
        assert not effects()
        assert not Step.objects.exists()


class TestBudgets:
    def chunk(self, action, number=100):
        users = User.objects.bulk_create(User(username=f"user{index}") for index in range(number))
        a_trigger(action, conditions=[ActionCountCondition()])
        return ids(fire(probe.ProbeEvent, users=users).runs.all())

    @pytest.mark.postgresql
    def test_one_action_costs_one_transaction_one_insert_and_one_update(self, ada, django_assert_num_queries):
        run_ids = self.chunk(probe.StopAction())
        # Each run: savepoint, INSERT of the step, UPDATE of the run, release.
        with django_assert_num_queries(100 * 4 + CHUNK):
            assert advance(run_ids) == []

    @pytest.mark.postgresql
    def test_perform_many_shares_even_that(self, ada, django_assert_num_queries):
        run_ids = self.chunk(probe.BulkEffectAction())
        # Savepoint, lock (2), the action's INSERT, the steps, the runs, release.
        with django_assert_num_queries(7 + CHUNK):
            assert advance(run_ids) == []


#: Queries of a chunk beside its steps: clock; claim (2 for its transaction, 2); events with their triggers (2),
#: conditions (2), actions (2), users; activities: look, create; the transaction (2), lock, conditions (3), count (2);
#: what is left.
CHUNK = 23


@pytest.fixture
def there_is_time(monkeypatch):
    monkeypatch.setattr(advancing, "_MOMENT_SECONDS", 600.0)
    monkeypatch.setattr(advancing, "_OTHERS_SECONDS", 600.0)


@pytest.mark.usefixtures("there_is_time")
def test_others_of_the_trigger_are_taken_along(ada, django_user_model):
    trigger = a_trigger(probe.RecordEffectAction())
    people = django_user_model.objects.bulk_create(User(username=f"p{number}") for number in range(40))
    with without_broker():
        first, *others = [fire(probe.ProbeEvent, users=person).runs.get() for person in (ada, *people)]
        elsewhere = fire(a_trigger(probe.RecordEffectAction(), name="another").events.get(), users=ada).runs.get()
        later = fire(probe.ProbeEvent, users=ada, delay=timedelta(hours=1)).runs.get(trigger=trigger)
    assert advance([first.pk], takes_others=True) == []
    assert set(Run.objects.filter(status="succeeded").values_list("pk", flat=True)) == set(ids([first, *others]))
    assert {run.status for run in Run.objects.filter(pk__in=[elsewhere.pk, later.pk])} == {"pending"}


@pytest.mark.usefixtures("there_is_time")
def test_those_that_others_hold_or_that_are_older_are_not_taken_along(ada, bob):
    a_trigger(probe.RecordEffectAction())
    with without_broker():
        older, first, held = [fire(probe.ProbeEvent, users=user).runs.get() for user in (bob, ada, bob)]
    Run.objects.filter(pk=held.pk).update(status="running", lease_until=FAR, token=uuid4())
    assert advance([first.pk], takes_others=True) == []
    assert effects() == {"effect": 1}
    assert advance([older.pk]) == []


def test_where_a_run_takes_long_none_is_taken_along(ada, bob, monkeypatch):
    monkeypatch.setattr(advancing, "_MOMENT_SECONDS", 0.0)
    a_trigger(probe.RecordEffectAction())
    with without_broker():
        first, _other = [fire(probe.ProbeEvent, users=user).runs.get() for user in (ada, bob)]
    assert advance([first.pk], takes_others=True) == []
    assert effects() == {"effect": 1}


@pytest.mark.usefixtures("there_is_time")
def test_what_is_left_of_those_taken_along_is_said(ada, bob):
    a_trigger(probe.WaitAction(seconds=3600))
    with without_broker():
        first, other = [fire(probe.ProbeEvent, users=user).runs.get() for user in (ada, bob)]
    assert {left.run_id for left in advance([first.pk], takes_others=True)} == {first.pk, other.pk}


@pytest.mark.usefixtures("there_is_time")
def test_one_whose_worker_was_lost_is_not_taken_along(ada, bob):
    a_trigger(probe.RecordEffectAction())
    with without_broker():
        first, other = [fire(probe.ProbeEvent, users=user).runs.get() for user in (ada, bob)]
    Run.objects.filter(pk=other.pk).update(losses=1)
    advance([first.pk], takes_others=True)
    assert effects() == {"effect": 1}
