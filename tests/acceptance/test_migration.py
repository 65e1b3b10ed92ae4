"""
From Celery to Temporal as docs/temporal.md says: one trigger first, then another, then the default, while events go on
happening. What Celery has begun it finishes.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Q
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.acceptance.scenario import (
    a_trigger,
    effects,
    explain,
    outcomes,
    people,
    repeated_effects,
    wait_for_runs,
)
from tests.app.models import ClockEvent
from tests.probe.models import AwaitAction, DecliningAction, Effect, ProbeEvent, RecordEffectAction
from tests.servers.worker import StartCeleryWorker, StartTemporalWorker, Worker
from tests.waiting import wait_until
from triggers import fire
from triggers.models import ActionCountCondition, Event, Run, Trigger

pytestmark = pytest.mark.postgresql  # SQLite adds nothing to what is seen here

EVENTS = 200
HOUR = timedelta(hours=1)


@pytest.fixture
def celery_is_the_default(temporal: object, settings: Settings) -> None:
    """There is a Temporal server, and nobody uses it."""
    settings.TRIGGERS_USE_TEMPORAL = False


class Traffic:
    """Events that happen to one after another: most to be performed at once, every tenth later or after a wait."""

    def __init__(self, users: list[User]) -> None:
        self.users = users
        self.fired = 0
        self.at_once = a_trigger(RecordEffectAction(label="at once"), name="at once")
        self.later = a_trigger(RecordEffectAction(label="later"), name="later", event=ProbeEvent(delay=HOUR))
        self.journey = a_trigger(
            RecordEffectAction(label="before"),
            AwaitAction(event_type="app.ClockEvent"),
            RecordEffectAction(label="after"),
            name="journey",
        )
        events = [Event.objects.get(trigger=trigger) for trigger in (self.at_once, self.later, self.journey)]
        self.round = [events[0]] * 8 + events[1:]

    def flow(self, number: int = EVENTS) -> None:
        try:
            for _ in range(number):
                fire(self.round[self.fired % 10], users=self.users[self.fired % len(self.users)])
                self.fired += 1
        finally:
            connection.close()

    def wait_for(self, number: int) -> None:
        wait_until(lambda: self.fired >= number, timeout=60, message=lambda: f"event {number}, not {self.fired}")


def move(trigger: Trigger) -> None:
    operator, _ = User.objects.get_or_create(username="operator", is_superuser=True)
    http = APIClient()
    http.force_authenticate(operator)
    answer = http.patch(f"/api/v1/triggers/{trigger.pk}/", {"engine": "temporal"}, format="json")
    assert (answer.status_code, answer.json()["engine"]) == (200, "temporal")


def engines_of(*runs: Q) -> Counter[str]:
    return Counter(Run.objects.filter(*runs).values_list("engine", flat=True))


def assert_performed_by_their_engines(temporal_workers: list[Worker]) -> None:
    """Each effect is the work of a worker of the engine that its run was written with."""
    engines = {str(run_id): engine for run_id, engine in Run.objects.values_list("pk", "engine")}
    pids = {worker.pid for worker in temporal_workers}
    for key, pid in Effect.objects.values_list("key", "pid"):
        assert (pid in pids) == (engines[key.partition(":")[0]] == "temporal"), key


@pytest.mark.timeout(300)
def test_events_before_during_and_after_the_move_are_performed_once_each_by_the_engine_its_run_began_with(
    celery_is_the_default: None,
    start_celery_worker: StartCeleryWorker,
    start_temporal_worker: StartTemporalWorker,
    settings: Settings,
) -> None:
    traffic = Traffic(people(50))
    celery_worker = start_celery_worker()
    first_temporal_worker = start_temporal_worker()

    traffic.flow()
    before = Q(occurrence__recorded_at__lte=timezone.now())
    assert engines_of(before) == {"celery": EVENTS}

    with ThreadPoolExecutor(1) as elsewhere:
        during = elsewhere.submit(traffic.flow)
        traffic.wait_for(EVENTS + 50)
        move(traffic.at_once)
        traffic.wait_for(EVENTS + 100)
        move(traffic.journey)
        traffic.wait_for(EVENTS + 150)
        settings.TRIGGERS_USE_TEMPORAL = True
        during.result()
    # What is deployed with the new default.
    celery_worker.stop()
    first_temporal_worker.stop()
    start_celery_worker()
    second_temporal_worker = start_temporal_worker()
    moved = Run.objects.filter(~before)
    assert set(engines_of(~before)) == {"celery", "temporal"}
    assert set(moved.filter(trigger=traffic.later).values_list("engine", flat=True)) == {"celery", "temporal"}

    last = Q(occurrence__recorded_at__gt=timezone.now())
    traffic.flow()
    assert engines_of(last) == {"temporal": EVENTS}

    # The hour is over, and what the journeys wait for happens.
    waiting = Run.objects.filter(trigger=traffic.journey)
    wait_until(lambda: waiting.filter(status="waiting").count() == 3 * EVENTS // 10, timeout=90, message=explain)
    fire(ClockEvent, users=traffic.users)
    Run.objects.filter(trigger=traffic.later).update(due_at=timezone.now(), next_handover_at=timezone.now())
    wait_for_runs(3 * EVENTS, timeout=120)

    assert outcomes() == {"succeeded": 3 * EVENTS}, explain()
    tenth = 3 * EVENTS // 10
    assert effects() == {"at once": 8 * tenth, "later": tenth, "before": tenth, "after": tenth}
    assert repeated_effects() == []
    assert_performed_by_their_engines([first_temporal_worker, second_temporal_worker])


def test_a_limit_holds_for_runs_of_both_engines(
    celery_is_the_default: None,
    start_celery_worker: StartCeleryWorker,
    start_temporal_worker: StartTemporalWorker,
    tmp_path: Path,
) -> None:
    [person] = people(1)
    declining = DecliningAction(gated=True, folder=str(tmp_path))
    trigger = a_trigger(declining, conditions=[ActionCountCondition(limit=1)])
    for _ in range(10):
        fire(ProbeEvent, users=person)
    move(trigger)
    for _ in range(10):
        fire(ProbeEvent, users=person)
    assert engines_of() == {"celery": 10, "temporal": 10}

    start_celery_worker(concurrency=4)
    temporal_worker = start_temporal_worker()
    found_it_taken = Run.objects.filter(Q(postponements__gt=0) | Q(status="skipped"))
    wait_until(lambda: found_it_taken.count() == 19, message=explain)
    (tmp_path / "gate").touch()

    wait_for_runs(20)
    assert outcomes() == {
        "skipped action_declined": 1,
        "succeeded": 1,
        "skipped limit_reached": 18,
    }, explain()
    assert effects() == {"effect": 1}
    assert_performed_by_their_engines([temporal_worker])
