"""How a project tests its triggers, by pytest and by Django's test cases."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import TestCase, TransactionTestCase

from tests.app.models import ClockEvent, SendEmailAction, Task, TaskCompletedEvent
from tests.probe.models import FlakyAction, RecordEffectAction, WaitAction
from triggers import fire
from triggers.models import ActionCountCondition, Run
from triggers.testing import TriggersTestMixin, assert_fired, assert_not_fired, assert_ran, make_trigger

pytest_plugins = ["triggers.testing.fixtures"]
RunTriggers = Callable[..., list[Run]]


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_user("anna", "anna@example.com")


def test_what_was_fired_is_run_without_broker_or_commit(anna: User, run_triggers: RunTriggers) -> None:
    trigger = make_trigger(
        TaskCompletedEvent(),
        ActionCountCondition(limit=1),
        SendEmailAction(subject="Well done", message="You did {{ task.name }}."),
    )
    for name in ("this", "that"):
        Task.objects.create(user=anna, name=name).complete()

    assert [run.status for run in run_triggers()] == ["succeeded", "skipped"]

    assert [message.body for message in mail.outbox] == ["You did this."]
    assert_fired(TaskCompletedEvent, user=anna, times=2)
    assert_not_fired(ClockEvent)
    assert_ran(trigger, user=anna)
    assert_ran(trigger, status="skipped", code="limit_reached")


def test_time_passes_only_as_far_as_it_is_told(anna: User, run_triggers: RunTriggers) -> None:
    trigger = make_trigger(
        ClockEvent(delay=timedelta(hours=1)), WaitAction(seconds=7200), WaitAction(seconds=7200), RecordEffectAction()
    )
    fire(ClockEvent, users=User.objects.all())
    assert run_triggers() == []
    (run,) = run_triggers(after=timedelta(hours=1, minutes=1))
    assert (run.status, run.steps_succeeded) == ("waiting", 1)
    (run,) = run_triggers(after=timedelta(hours=3, minutes=1))
    assert (run.status, run.steps_succeeded) == ("waiting", 2)
    run_triggers(after=timedelta(hours=6))
    assert_ran(trigger)


def test_further_attempts_are_made(anna: User, run_triggers: RunTriggers, tmp_path: object) -> None:
    trigger = make_trigger(ClockEvent(), FlakyAction(folder=str(tmp_path), fail_times=2))
    fire(ClockEvent, users=anna)
    run_triggers(after=timedelta(minutes=1))
    assert_ran(trigger)


def test_failed_assertions_say_what_there_is(anna: User, run_triggers: RunTriggers) -> None:
    trigger = make_trigger(ClockEvent(), is_enabled=False)
    with pytest.raises(AssertionError, match="was not fired as expected"):
        assert_fired(ClockEvent)
    fire(ClockEvent, users=anna, context={"a": 1})
    assert_fired("app.ClockEvent", context={"a": 1})
    with pytest.raises(AssertionError, match="ClockEvent was not"):
        assert_fired(ClockEvent, context={"a": 2})
    with pytest.raises(AssertionError, match="fired 1 times, not 2"):
        assert_fired(ClockEvent, times=2)
    with pytest.raises(AssertionError, match="was fired 1 times"):
        assert_not_fired(ClockEvent)
    with pytest.raises(AssertionError, match="There are: none"):
        assert_ran(trigger)


class ByDjangosTestCase(TriggersTestMixin, TestCase):
    def test_nothing_is_published_and_all_is_run_when_told(self) -> None:
        anna = User.objects.create_user("anna", "anna@example.com")
        trigger = self.make_trigger(TaskCompletedEvent(), SendEmailAction(subject="Well done", message="!"))
        with self.captureOnCommitCallbacks(execute=True):
            Task.objects.create(user=anna, name="this").complete()
        self.run_triggers()
        self.assert_ran(trigger, user=anna)


class ByTransactionTestCase(TriggersTestMixin, TransactionTestCase):
    def test_nothing_is_published_though_transactions_commit(self) -> None:
        anna = User.objects.create_user("anna", "anna@example.com")
        trigger = self.make_trigger(TaskCompletedEvent(), SendEmailAction(subject="Well done", message="!"))
        Task.objects.create(user=anna, name="this").complete()
        assert [run.status for run in Run.objects.all()] == ["pending"]
        self.run_triggers()
        self.assert_ran(trigger, user=anna)
