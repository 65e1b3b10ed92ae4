"""Schedules with several real processes: each time once, whoever sweeps, whatever clocks do."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.acceptance.scenario import a_trigger, explain, on_both_engines, outcomes, people, wait_for_runs
from tests.probe.models import RecordEffectAction
from tests.servers.worker import StartWorker, environment
from triggers.contrib.events.models import ScheduleEvent
from triggers.models import Occurrence, Run

pytestmark = pytest.mark.timeout(300)


@contextmanager
def sweeper(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.events.sweeper"],
        env=environment(os.environ["CELERY_BROKER_URL"], folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def sweep_at_once(processes: "Sequence[subprocess.Popen[str]]", moment: datetime) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{moment.isoformat()}\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "swept\n"


def utc(day: int, month: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def hourly(start: datetime, hours: int) -> list[datetime]:
    return [start + timedelta(hours=number) for number in range(hours + 1)]


# In Vienna clocks go from 02:00 to 03:00 on 29 March and from 03:00 back to 02:00 on 25 October, both at 01:00 UTC.
SPRING = utc(28, 3, 21)
AUTUMN = utc(24, 10, 20)


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (SPRING, {"half past two": [utc(29, 3, 1)], "hourly": hourly(SPRING, 12)}),
        (AUTUMN, {"half past two": [utc(25, 10, 0, 30)], "hourly": hourly(AUTUMN, 12)}),
    ],
    ids=["spring", "autumn"],
)
def test_each_time_is_fired_once_by_two_processes_whose_clock_jumps(
    transactional_db: None, tmp_path: Path, start: datetime, expected: dict[str, list[datetime]]
) -> None:
    crons = {"half past two": "30 2 * * *", "hourly": "0 * * * *"}
    for name, cron in crons.items():
        event = ScheduleEvent(cron=cron, time_zone="Europe/Vienna")
        a_trigger(RecordEffectAction(), name=name, event=event)
        ScheduleEvent.objects.filter(pk=event.pk).update(next_at=next(event.times(start - timedelta(seconds=1))))
    with ExitStack() as stack:
        processes = [stack.enter_context(sweeper(tmp_path)) for _ in range(2)]
        for minutes in range(0, 12 * 60 + 1, 10):
            sweep_at_once(processes, start + timedelta(minutes=minutes, seconds=3))
        # The clock is set back by hours, and goes forward again.
        for minutes in range(6 * 60, 12 * 60 + 1, 60):
            sweep_at_once(processes, start + timedelta(minutes=minutes))
    for name, times in expected.items():
        fired = Occurrence.objects.filter(event_id__in=ScheduleEvent.objects.filter(trigger__name=name).values("pk"))
        assert list(fired.order_by("occurred_at").values_list("occurred_at", flat=True)) == times, name
    assert not Occurrence.objects.exclude(source="schedule").exists()


@on_both_engines
def test_a_worker_fires_what_is_due(start_worker: StartWorker) -> None:
    users: list[User] = people(3)
    # Half an hour ago: neither this time nor the next can pass before the worker has started.
    tick = timezone.now() - timedelta(minutes=30)
    event = ScheduleEvent(interval=timedelta(hours=1), starts_at=tick)
    a_trigger(RecordEffectAction(label="digest"), event=event)
    ScheduleEvent.objects.update(next_at=tick)
    start_worker()
    wait_for_runs(3)
    assert outcomes() == {"succeeded": 3}, explain()
    assert set(Run.objects.values_list("user", flat=True)) == {user.pk for user in users}
    occurrence = Occurrence.objects.get()
    assert (occurrence.occurred_at, occurrence.source) == (tick, "schedule")
    assert ScheduleEvent.objects.get().next_at == tick + timedelta(hours=1)
    assert tick + timedelta(hours=1) > timezone.now()
