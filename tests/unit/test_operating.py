from datetime import timedelta

import pytest
from django.utils import timezone

from tests.acceptance.scenario import a_trigger, counted, effects
from tests.probe import models as probe
from tests.unit.conftest import ids
from triggers import fire
from triggers.exceptions import NothingToStart
from triggers.firing import replay, retry
from triggers.models import ActionCountCondition, Event, Occurrence, Run, Trigger
from triggers.running import advance, cancel

pytestmark = pytest.mark.django_db


def state(run):
    run.refresh_from_db()
    return run.status, run.code


class TestCancel:
    def test_a_run_that_no_worker_holds_is_cancelled_at_once(self, ada):
        trigger = a_trigger(probe.RaisingAction())
        delayed = fire(probe.ProbeEvent, users=ada, delay=timedelta(days=1)).runs.get()
        retrying = fire(probe.ProbeEvent, users=ada).runs.get()
        advance([retrying.pk])
        assert counted(trigger) == {ada.pk: 1}
        assert cancel([delayed.pk, retrying.pk]) == 2
        assert state(delayed) == state(retrying) == ("cancelled", "cancelled")
        assert counted(trigger) == {ada.pk: 0}

    def test_a_run_in_a_workers_hands_is_cancelled_before_its_next_step(self, ada, monkeypatch):
        def perform(self, user, context):
            probe.new_effect(user, self.label).save()
            cancel(ids(Run.objects.all()))

        monkeypatch.setattr(probe.RecordEffectAction, "perform", perform)
        trigger = a_trigger(probe.RecordEffectAction(label="first"), probe.RecordEffectAction(label="second"))
        run = fire(probe.ProbeEvent, users=ada).runs.get()
        advance([run.pk])
        assert state(run) == ("cancelled", "cancelled")
        assert effects() == {"first": 1}
        # It did act on the user.
        assert counted(trigger) == {ada.pk: 1}

    def test_a_run_that_has_ended_is_left_alone(self, ada, run_to_the_end):
        a_trigger(probe.RecordEffectAction())
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert cancel([run.pk]) == 0
        assert state(run) == ("succeeded", "")


class TestRetry:
    def test_it_goes_on_at_the_failed_step_with_all_its_attempts(self, ada, tmp_path, run_to_the_end):
        a_trigger(
            probe.RecordEffectAction(label="first"),
            probe.FlakyAction(folder=tmp_path, fail_times=7, label="second"),
            probe.RecordEffectAction(label="third"),
        )
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert state(run) == ("failed", "action_failed")
        assert retry([run.pk]) == 1
        run_to_the_end()
        assert state(run) == ("succeeded", "")
        assert [(step.position, step.status, step.attempts) for step in run.steps.all()] == [
            (0, "succeeded", 1),
            (1, "succeeded", 3),
            (2, "succeeded", 1),
        ]
        assert effects() == {"first": 1, "second": 1, "third": 1}

    def test_a_run_that_gave_its_place_back_is_admitted_anew(self, ada, run_to_the_end):
        trigger = a_trigger(probe.RefusingAction(), conditions=[ActionCountCondition(limit=1)])
        (failed,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        trigger.actions.all().delete()
        probe.RecordEffectAction.objects.create(trigger=trigger)
        run_to_the_end(fire(probe.ProbeEvent, users=ada))
        assert retry([failed.pk]) == 1
        run_to_the_end()
        assert state(failed) == ("skipped", "limit_reached")
        assert counted(trigger) == {ada.pk: 1}

    def test_a_run_stopped_because_its_trigger_was_disabled_goes_on(self, ada, run_to_the_end):
        a_trigger(probe.WaitAction(), probe.RecordEffectAction())
        run = fire(probe.ProbeEvent, users=ada).runs.get()
        advance([run.pk])
        Trigger.objects.update(is_enabled=False)
        run_to_the_end()
        assert state(run) == ("cancelled", "trigger_disabled")
        Trigger.objects.update(is_enabled=True)
        assert retry([run.pk]) == 1
        run_to_the_end()
        assert state(run) == ("succeeded", "")
        assert effects() == {"effect": 1}

    def test_a_run_whose_workers_were_lost_has_all_its_chances_again(self, ada, run_to_the_end):
        a_trigger(probe.RecordEffectAction())
        run = fire(probe.ProbeEvent, users=ada).runs.get()
        Run.objects.update(losses=3)
        run_to_the_end()
        assert state(run) == ("failed", "worker_lost")
        retry([run.pk])
        run_to_the_end()
        assert state(run) == ("succeeded", "")

    def test_other_runs_are_left_alone(self, ada, run_to_the_end):
        a_trigger(probe.RecordEffectAction(), conditions=[ActionCountCondition(limit=1)])
        for _ in range(2):
            fire(probe.ProbeEvent, users=ada)
        runs = run_to_the_end()
        assert {run.status for run in runs} == {"succeeded", "skipped"}
        assert retry(ids(runs)) == 0


class TestReplay:
    def test_it_is_a_new_run_of_the_same_event_under_todays_definition(self, ada, run_to_the_end):
        trigger = a_trigger(probe.RecordEffectAction(label="then"), event=probe.ProbeEvent(delay=timedelta(days=1)))
        other = a_trigger(probe.RecordEffectAction(label="other"), name="other")
        happened = timezone.now() - timedelta(days=2)
        runs = fire(probe.ProbeEvent, users=ada, context={"a": 1}, occurred_at=happened).runs
        run_to_the_end()
        probe.RecordEffectAction.objects.filter(trigger=trigger).update(label="now")
        again = replay(runs.get(trigger=trigger), fired_by=ada)
        run = again.runs.get()
        assert (run.replay_of_id, again.occurred_at, again.fired_by) == (runs.get(trigger=trigger).pk, happened, ada)
        assert again.context == {"a": 1}
        run_to_the_end()
        assert effects() == {"then": 1, "other": 1, "now": 1}
        assert other.events.count() == 1

    def test_an_event_that_was_removed_cannot_be_replayed(self, ada, run_to_the_end):
        trigger = a_trigger(probe.RecordEffectAction())
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        trigger.events.get().delete()
        with pytest.raises(Event.DoesNotExist):
            replay(Run.objects.get(pk=run.pk))

    def test_a_replay_that_would_start_nothing_says_why_and_writes_nothing(self, ada, run_to_the_end):
        a_trigger(probe.RecordEffectAction())
        (run,) = run_to_the_end(fire(probe.ProbeEvent, users=ada))
        Trigger.objects.update(is_enabled=False)
        with pytest.raises(NothingToStart, match="is not enabled"):
            replay(Run.objects.get(pk=run.pk))
        assert Run.objects.count() == Occurrence.objects.count() == 1
