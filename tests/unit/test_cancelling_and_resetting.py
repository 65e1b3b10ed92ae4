"""To cancel an occurrence and to begin the ledger anew, while workers are at work."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from tests.acceptance.scenario import a_trigger, counted, effects
from tests.probe.models import DecliningAction, FlakyAction, ProbeEvent, RecordEffectAction
from tests.unit.conftest import FAR, ids
from tests.waiting import wait_until
from triggers import fire
from triggers.expansion import expand
from triggers.models import ActionCountCondition, ActionFrequencyCondition, Activity, AudienceChunk, Event, Run
from triggers.running import advance, cancel_occurrence, operating, reset_activity

pytestmark = pytest.mark.django_db


@contextmanager
def another_worker():
    """Calls functions in a thread that has a connection of its own."""

    def closing(function, *arguments):
        try:
            return function(*arguments)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        yield lambda function, *arguments: pool.submit(closing, function, *arguments)


def wait_for_one_who_waits():
    """Return when a transaction waits for what another has locked."""

    def somebody_waits():
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return cursor.fetchone()[0]

    wait_until(somebody_waits, message="a lock that is waited for")


class TestCancelOccurrence:
    def test_its_open_runs_are_cancelled_and_no_others(self, monkeypatch):
        monkeypatch.setattr(operating, "BATCH", 2)
        users = User.objects.bulk_create(User(username=f"user{number}") for number in range(5))
        a_trigger(RecordEffectAction())
        occurrence, other = fire(ProbeEvent, users=users), fire(ProbeEvent, users=users)
        advance([occurrence.runs.first().pk])
        assert cancel_occurrence(occurrence.pk) == 4
        assert cancel_occurrence(occurrence.pk) == 0
        assert sorted(run.status for run in occurrence.runs.all()) == ["cancelled"] * 4 + ["succeeded"]
        assert {run.status for run in other.runs.all()} == {"pending"}

    @pytest.mark.parametrize("whom", ["queryset", "named"])
    def test_users_without_runs_get_none(self, ada, bob, monkeypatch, whom):
        monkeypatch.setattr(AudienceChunk, "SIZE", 1)
        a_trigger(RecordEffectAction())
        occurrence = fire(ProbeEvent, **({"audience": "all"} if whom == "named" else {"users": User.objects.all()}))
        assert expand(AudienceChunk.objects.first().pk) == (whom == "named")
        assert cancel_occurrence(occurrence.pk) == 1
        assert not AudienceChunk.objects.filter(done_at=None).exists()
        assert not AudienceChunk.objects.exclude(next_handover_at=None).exists()
        for chunk in AudienceChunk.objects.all():
            assert not expand(chunk.pk)
        assert [run.status for run in occurrence.runs.all()] == ["cancelled"]

    @pytest.mark.postgresql
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("whom", ["queryset", "named"])
    def test_runs_that_a_worker_is_just_making_do_not_escape(self, ada, bob, monkeypatch, whom):
        monkeypatch.setattr(AudienceChunk, "SIZE", 1)
        a_trigger(RecordEffectAction())
        occurrence = fire(ProbeEvent, **({"audience": "all"} if whom == "named" else {"users": User.objects.all()}))
        chunk = AudienceChunk.objects.first()
        has_made_runs = threading.Event()

        def listener(sender, **_):
            has_made_runs.set()
            wait_for_one_who_waits()

        Event.fired.connect(listener)
        try:
            with another_worker() as call:
                expanding = call(expand, chunk.pk)
                assert has_made_runs.wait(10)
                assert cancel_occurrence(occurrence.pk) == 1
                expanding.result()
        finally:
            Event.fired.disconnect(listener)
        for chunk in AudienceChunk.objects.all():
            assert not expand(chunk.pk)
        assert [run.status for run in occurrence.runs.all()] == ["cancelled"]


class TestResetActivity:
    def test_the_trigger_acts_on_the_user_anew(self, ada, run_to_the_end):
        trigger = a_trigger(
            RecordEffectAction(), conditions=[ActionCountCondition(limit=1), ActionFrequencyCondition()]
        )
        run_to_the_end(fire(ProbeEvent, users=ada))
        activity = Activity.objects.get()
        assert run_to_the_end(fire(ProbeEvent, users=ada))[0].code == "limit_reached"

        answer = reset_activity(activity.pk)

        activity.refresh_from_db()
        assert answer == activity
        assert (activity.action_count, activity.last_action_datetime) == (0, None)
        assert (answer.action_count, answer.last_action_datetime) == (0, None)
        assert run_to_the_end(fire(ProbeEvent, users=ada))[0].status == "succeeded"
        assert counted(trigger) == {ada.pk: 1}
        assert effects() == {"effect": 2}

    def test_an_entry_that_does_not_exist_is_said_not_to(self):
        with pytest.raises(Activity.DoesNotExist):
            reset_activity(4711)

    def test_a_run_that_was_counted_before_gives_nothing_back(self, ada, tmp_path, run_to_the_end):
        action = FlakyAction(folder=tmp_path, fail_times=100)
        trigger = a_trigger(action)
        failing = fire(ProbeEvent, users=ada).runs.get()
        advance([failing.pk])
        assert counted(trigger) == {ada.pk: 1}
        reset_activity(Activity.objects.get().pk)
        run_to_the_end()
        assert Run.objects.get(pk=failing.pk).status == "failed"
        activity = Activity.objects.get()
        assert (activity.action_count, activity.last_action_datetime) == (0, None)

    @pytest.mark.django_db(transaction=True)
    def test_a_run_under_way_takes_no_later_runs_place_with_it(self, ada, tmp_path):
        trigger = a_trigger(DecliningAction(folder=tmp_path, gated=True), conditions=[ActionCountCondition(limit=1)])
        declining = fire(ProbeEvent, users=ada).runs.get()
        with another_worker() as call:
            advancing = call(advance, [declining.pk])
            wait_until(lambda: list(tmp_path.iterdir()), message="the first run's action")
            reset_activity(Activity.objects.get().pk)
            second = fire(ProbeEvent, users=ada).runs.get()
            advance([second.pk])
            second.refresh_from_db()
            assert second.status == "succeeded"
            (tmp_path / "gate").touch()
            advancing.result()
        declining.refresh_from_db()
        assert declining.code == "action_declined"
        activity = Activity.objects.get()
        assert (activity.action_count, activity.last_action_datetime) == (1, second.reserved_at)
        third = fire(ProbeEvent, users=ada).runs.get()
        advance([third.pk], now=FAR)
        assert Run.objects.get(pk=third.pk).code == "limit_reached"
        assert counted(trigger) == {ada.pk: 1}

    @pytest.mark.postgresql
    @pytest.mark.django_db(transaction=True)
    def test_it_waits_for_a_worker_that_is_just_counting(self, ada):
        a_trigger(RecordEffectAction())
        fire(ProbeEvent, users=ada)
        advance(ids(Run.objects.all()))
        activity = Activity.objects.get()
        with another_worker() as call, transaction.atomic():
            counting = Activity.objects.select_for_update().get(pk=activity.pk)
            resetting = call(reset_activity, activity.pk)
            wait_for_one_who_waits()
            counting.action_count += 1
            counting.save()
            transaction.on_commit(resetting.result)
        activity.refresh_from_db()
        assert (activity.action_count, activity.last_action_datetime) == (0, None)
