from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.acceptance.scenario import a_trigger
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers import engines, fire, handover
from triggers.models import AudienceChunk, Run
from triggers.sweeping import sweep

pytestmark = pytest.mark.django_db


@pytest.fixture
def handed_over(monkeypatch):
    """The messages that the engine was given: lists of run ids, and chunk ids."""
    messages = []
    engine = engines.get("celery")
    monkeypatch.setattr(engine, "start", lambda run_ids, due_at=None: messages.append(list(run_ids)))
    monkeypatch.setattr(engine, "expand", lambda chunk_ids: messages.append(list(chunk_ids)))
    return messages


def make_due(queryset):
    queryset.update(next_handover_at=timezone.now() - timedelta(seconds=1))


def test_what_is_not_due_is_left_alone(ada, handed_over):
    a_trigger(RecordEffectAction())
    fire(ProbeEvent, users=ada)
    assert sweep("celery") == 0
    assert handed_over == []


def test_due_runs_are_handed_over_and_then_left_alone_for_a_pause_that_grows(ada, handed_over, settings):
    settings.TRIGGERS_HANDOVER_GRACE = timedelta(seconds=30)
    a_trigger(RecordEffectAction())
    run = fire(ProbeEvent, users=ada).runs.get()
    pauses = []
    for _ in range(9):
        make_due(Run.objects.all())
        before = timezone.now()
        assert sweep("celery") == 1
        assert sweep("celery") == 0
        run.refresh_from_db()
        pauses.append(round((run.next_handover_at - before).total_seconds()))
    assert handed_over == [[run.pk]] * 9
    assert pauses == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_runs_of_other_engines_are_not_its_business(ada, handed_over):
    a_trigger(RecordEffectAction())
    fire(ProbeEvent, users=ada)
    make_due(Run.objects.all())
    Run.objects.update(engine="other")
    assert sweep("celery") == 0


def test_runs_that_have_ended_are_not_handed_over(ada, handed_over, run_to_the_end):
    a_trigger(RecordEffectAction())
    fire(ProbeEvent, users=ada)
    run_to_the_end()
    assert Run.objects.get().next_handover_at is None


def test_a_run_whose_worker_was_lost_travels_alone(handed_over, settings):
    settings.TRIGGERS_CHUNK_SIZE = 2
    users = User.objects.bulk_create(User(username=f"user{number}") for number in range(4))
    a_trigger(RecordEffectAction())
    fire(ProbeEvent, users=users)
    make_due(Run.objects.all())
    Run.objects.filter(user=users[0]).update(status="running", lease_until=timezone.now())
    assert sweep("celery") == 4
    assert sorted(len(message) for message in handed_over) == [1, 1, 2]
    assert [Run.objects.get(user=users[0]).pk] in handed_over


def test_audience_chunks_are_handed_over_until_they_are_done(ada, handed_over):
    a_trigger(RecordEffectAction())
    fire(ProbeEvent, users=User.objects.all())
    make_due(AudienceChunk.objects.all())
    assert sweep("celery") == 1
    assert handed_over == [[AudienceChunk.objects.get().pk]]
    AudienceChunk.objects.update(next_handover_at=None)
    assert sweep("celery") == 0


def test_a_sweep_costs_few_queries_whatever_there_is(ada, handed_over, django_assert_num_queries):
    sweep("celery")  # prunes, and not again for a minute
    # The clock; for chunks and for runs a transaction (2) and a look; events that nobody told
    # waiting runs of; schedules.
    with django_assert_num_queries(9):
        sweep("celery")
    a_trigger(RecordEffectAction())
    users = User.objects.bulk_create(User(username=f"user{number}") for number in range(50))
    fire(ProbeEvent, users=users)
    make_due(Run.objects.all())
    with django_assert_num_queries(10):
        sweep("celery")


def test_what_is_due_soon_is_expected_after_its_time_and_the_rest_at_it():
    now = timezone.now()
    soon, late = now + timedelta(seconds=59), now + timedelta(seconds=61)
    assert handover.next_handover_at(None, now) == now + timedelta(seconds=30)
    assert handover.next_handover_at(soon, now) == soon + timedelta(seconds=30)
    assert handover.next_handover_at(late, now) == late
