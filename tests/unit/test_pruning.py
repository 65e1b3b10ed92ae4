from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.acceptance.scenario import a_trigger, counted
from tests.probe.models import ProbeEvent, RecordEffectAction, WaitAction
from triggers import fire, ids, pruning, sweeping
from triggers.models import Activity, AudienceChunk, Occurrence, Run, Step
from triggers.running import advance
from triggers.sweeping import sweep

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(days=91)


@pytest.fixture
def then(monkeypatch):
    """Records written from now on were made 91 days ago."""

    def then():
        made = (timezone.now() - LONG_AGO).timestamp()
        monkeypatch.setattr(ids.time, "time_ns", lambda: int(made * 1_000_000_000))

    yield then
    monkeypatch.undo()


def end_long_ago():
    Run.objects.filter(ended_at__isnull=False).update(ended_at=timezone.now() - LONG_AGO)


def test_runs_that_ended_long_ago_go_with_their_steps_and_occurrences(ada, then, run_to_the_end, monkeypatch):
    trigger = a_trigger(RecordEffectAction())
    then()
    fire(ProbeEvent, users=ada)
    monkeypatch.undo()
    recent = fire(ProbeEvent, users=ada)
    run_to_the_end()
    Run.objects.exclude(occurrence=recent).update(ended_at=timezone.now() - LONG_AGO)
    assert list(pruning.prune()) == [1, 1]
    assert [run.occurrence for run in Run.objects.all()] == [recent]
    assert Step.objects.count() == Occurrence.objects.count() == 1
    assert counted(trigger) == {ada.pk: 2}


def test_what_has_not_ended_is_kept_however_old(ada, bob, then):
    a_trigger(WaitAction(seconds=10**7), RecordEffectAction())
    then()
    occurrence = fire(ProbeEvent, users=ada)
    advance([run.pk for run in occurrence.runs.all()])
    fire(ProbeEvent, users=type(ada).objects.all())
    assert AudienceChunk.objects.count() == 1
    assert list(pruning.prune()) == []
    assert (Run.objects.count(), Occurrence.objects.count()) == (1, 2)


def test_a_run_of_long_ago_that_ended_lately_is_kept(ada, then, run_to_the_end):
    a_trigger(RecordEffectAction())
    then()
    fire(ProbeEvent, users=ada)
    run_to_the_end()
    assert list(pruning.prune()) == []


def test_none_keeps_everything(ada, then, run_to_the_end, settings):
    settings.TRIGGERS_RETENTION = None
    a_trigger(RecordEffectAction())
    then()
    fire(ProbeEvent, users=ada)
    run_to_the_end()
    end_long_ago()
    assert list(pruning.prune()) == []
    with pytest.raises(CommandError, match="TRIGGERS_RETENTION is None"):
        call_command("triggers_prune")


def test_it_goes_batch_by_batch_and_the_sweep_does_one(ada, bob, then, run_to_the_end, monkeypatch):
    monkeypatch.setattr(pruning, "BATCH", 2)
    a_trigger(RecordEffectAction())
    then()
    for _ in range(3):
        fire(ProbeEvent, users=[ada, bob])
    run_to_the_end()
    end_long_ago()
    monkeypatch.setattr(sweeping, "_next_pruning", 0.0)
    for _ in range(3):
        sweep("celery")
    assert Run.objects.count() == 4
    assert list(pruning.prune()) == [2, 2, 2, 1]
    assert not Occurrence.objects.exists()


def test_the_command_says_what_it_does(ada, then, run_to_the_end, capsys):
    a_trigger(RecordEffectAction())
    then()
    fire(ProbeEvent, users=ada)
    run_to_the_end()
    end_long_ago()
    call_command("triggers_prune", "--dry-run")
    assert capsys.readouterr().out == "1 runs ended longer than 90 days ago.\n"
    call_command("triggers_prune", "--days", "92")
    assert Run.objects.count() == 1
    call_command("triggers_prune")
    assert capsys.readouterr().out.endswith("Deleted 2 runs and occurrences older than 90 days.\n")
    assert not Occurrence.objects.exists()
    with pytest.raises(CommandError, match="negative"):
        call_command("triggers_prune", "--days", "-1")


def test_deleting_a_user_removes_what_is_kept_about_them(ada, bob, run_to_the_end):
    a_trigger(RecordEffectAction())
    fire(ProbeEvent, users=[ada, bob])
    run_to_the_end()
    ada.delete()
    assert {run.user for run in Run.objects.all()} == {activity.user for activity in Activity.objects.all()} == {bob}
    assert Step.objects.count() == 1
