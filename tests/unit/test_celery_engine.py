import socket
import threading
import time
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from celery import current_app
from django.utils import timezone

from tests.acceptance.scenario import a_trigger, effects
from tests.probe.models import (
    DecliningAction,
    FlakyAction,
    PickyEvent,
    ProbeEvent,
    RecordEffectAction,
    WaitAction,
)
from tests.servers.brokers import point_this_process_at
from tests.waiting import SLACK, wait_until
from triggers import fire
from triggers.engines import celery
from triggers.engines.celery import PUBLISH_SECONDS, CeleryEngine
from triggers.ids import uuid7
from triggers.models import ActionCountCondition, AudienceChunk, Occurrence, Run
from triggers.tasks import handle_event

pytestmark = pytest.mark.django_db


@pytest.fixture
def deaf_broker(request):
    """A port that takes connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        before = current_app.conf.broker_url
        point_this_process_at(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        yield
        point_this_process_at(before)


def test_a_broker_that_does_not_answer_is_given_up_and_then_left_alone(deaf_broker, caplog, monkeypatch):
    monkeypatch.setattr(celery, "AWAY_SECONDS", 1000.0)
    engine = CeleryEngine()
    began = time.monotonic()
    engine.start([uuid7()])
    assert time.monotonic() - began < PUBLISH_SECONDS + SLACK
    with mock.patch.object(celery, "_in_time") as call:
        engine.start([uuid7() for _ in range(1000)])
        engine.expand([uuid7()])
    assert not call.called
    assert "the sweep will hand the runs over" in caplog.text


def test_a_broker_that_does_not_answer_is_an_outage_found_in_time(deaf_broker, monkeypatch):
    monkeypatch.setattr(celery, "_callers", [])  # none of the threads that are there will ask
    before = threading.enumerate()
    began = time.monotonic()
    assert CeleryEngine().outage() == "The broker cannot be reached (no answer)."
    assert time.monotonic() - began < PUBLISH_SECONDS + SLACK
    wait_until(
        lambda: not any(thread.name == "triggers-broker" and thread not in before for thread in threading.enumerate()),
        timeout=10,
        message="the end of the thread that asked",
    )


@pytest.mark.parametrize("broker", ["redis", "filesystem"], indirect=True)
def test_a_broker_that_can_be_reached_is_no_outage(broker):
    assert CeleryEngine().outage() is None


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_a_broker_that_is_down_is_an_outage_until_it_is_back(broker):
    engine = CeleryEngine()
    broker.stop()
    assert engine.outage() == "The broker cannot be reached (ConnectionError)."
    broker.start()
    assert engine.outage() is None
    broker.pause()
    assert engine.outage() == "The broker cannot be reached (no answer)."


def test_what_is_due_later_than_in_a_minute_waits_in_the_database(monkeypatch):
    published: list[Any] = []
    engine = CeleryEngine()
    monkeypatch.setattr(engine, "_publish", published.append)
    engine.start([uuid7()], timezone.now() + timedelta(minutes=2))
    assert not published
    engine.start([uuid7()], timezone.now() + timedelta(seconds=30))
    assert len(published) == 1


@pytest.mark.django_db(transaction=True)
class TestAlwaysEager:
    """``CELERY_TASK_ALWAYS_EAGER``: everything has happened when ``fire`` returns."""

    @pytest.fixture(autouse=True)
    def eager(self):
        current_app.conf.task_always_eager = True
        yield
        current_app.conf.task_always_eager = False

    def test_there_is_no_broker_to_be_away(self, deaf_broker):
        assert CeleryEngine().outage() is None

    def test_a_named_audience_is_read_to_its_end(self, ada, bob, monkeypatch):
        monkeypatch.setattr(AudienceChunk, "SIZE", 1)
        a_trigger(RecordEffectAction())
        fire(ProbeEvent, audience="all")
        assert effects() == {"effect": 2}

    def test_delays_waits_and_pauses_are_passed_over(self, ada, tmp_path):
        event = ProbeEvent(delay=timedelta(days=1))
        a_trigger(
            WaitAction(seconds=86400), FlakyAction(folder=tmp_path, fail_times=2), RecordEffectAction(), event=event
        )
        run = fire(ProbeEvent, users=ada, delay=timedelta(days=1)).runs.get()
        assert run.status == "succeeded"
        assert effects() == {"effect": 2}

    def test_audiences_are_expanded(self, ada, bob):
        a_trigger(RecordEffectAction())
        fire(ProbeEvent, users=type(ada).objects.all())
        assert effects() == {"effect": 2}

    def test_a_run_that_declines_lets_the_next_one_in(self, ada, tmp_path):
        a_trigger(DecliningAction(folder=tmp_path), conditions=[ActionCountCondition(limit=1)])
        statuses = [fire(ProbeEvent, users=ada).runs.get().status for _ in range(3)]
        assert statuses == ["skipped", "succeeded", "skipped"]


class TestHandleEvent:
    """The task of messages that dj-triggers left in the broker."""

    def test_it_performs_at_once(self, ada):
        trigger = a_trigger(RecordEffectAction(), event=PickyEvent(delay=timedelta(days=1)))
        handle_event.apply(args=(trigger.events.get().pk, ada.pk), kwargs={"a": 1})
        assert effects() == {"effect": 1}
        assert Occurrence.objects.get().context == {"a": 1}

    def test_a_message_delivered_twice_is_performed_once(self, ada):
        trigger = a_trigger(RecordEffectAction())
        for _ in range(2):
            handle_event.apply(args=(trigger.events.get().pk, ada.pk), task_id="the-same")
        assert effects() == {"effect": 1}
        assert Run.objects.count() == 1
