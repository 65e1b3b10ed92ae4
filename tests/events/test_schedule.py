"""When schedules fire, and how often, with the clock in the test's hand."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from tests.probe.models import RecordEffectAction
from triggers import snapshots
from triggers.context import decode
from triggers.contrib.events import cron
from triggers.contrib.events.models import ScheduleEvent
from triggers.enabling import disable, enable
from triggers.loading import load_definitions
from triggers.models import Event, Occurrence
from triggers.sweeping import sweep
from triggers.testing import assert_ran, make_trigger, run_triggers, without_broker

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_broker(db):
    with without_broker():
        yield


def at(hour, minute=0, *, day=1, month=6):
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def scheduled(next_at=NOON, **fields):
    """A schedule on an enabled trigger that is to happen next at that time."""
    event = ScheduleEvent(**({"cron": "0 * * * *", "time_zone": "UTC"} | fields))
    make_trigger(event, RecordEffectAction())
    ScheduleEvent.objects.filter(pk=event.pk).update(next_at=next_at)
    event.refresh_from_db()
    return event


def ticks():
    return list(Occurrence.objects.order_by("occurred_at").values_list("occurred_at", flat=True))


def test_nothing_happens_before_it_is_time():
    scheduled()
    ScheduleEvent.sweep(NOON - timedelta(seconds=1))
    assert ticks() == []


def test_a_time_fires_the_event_once_for_its_audience_and_is_told_in_the_context(ada):
    event = scheduled()
    for _ in range(2):
        ScheduleEvent.sweep(at(12, 0))
        ScheduleEvent.sweep(at(12, 1))
    (occurrence,) = Occurrence.objects.all()
    assert (occurrence.type, occurrence.event_id) == ("triggers_events.ScheduleEvent", event.pk)
    assert (occurrence.key, occurrence.source) == (f"{event.pk}:2026-06-01T12:00:00+00:00", "schedule")
    event.refresh_from_db()
    assert event.next_at == at(13)
    run_triggers()
    assert decode(assert_ran(event.trigger, user=ada).occurrence.context) == {"scheduled_for": NOON}


def test_of_missed_times_the_latest_is_made_up_for():
    event = scheduled()
    ScheduleEvent.sweep(at(17, 30))
    assert ticks() == [at(17)]
    event.refresh_from_db()
    assert event.next_at == at(18)


def test_the_latest_of_rare_times_is_found_too():
    scheduled(cron="0 0 1 1 *", next_at=datetime(2020, 1, 1, tzinfo=UTC))
    ScheduleEvent.sweep(NOON)
    assert ticks() == [at(0, month=1)]


def test_missed_times_are_skipped_if_so_wanted():
    event = scheduled(on_missed="skip")
    ScheduleEvent.sweep(at(17, 30))
    assert ticks() == []
    event.refresh_from_db()
    assert event.next_at == at(18)


def test_what_is_only_late_is_not_skipped():
    scheduled(cron="* * * * *", on_missed="skip")
    ScheduleEvent.sweep(at(12, 30))
    assert ticks() == [at(12, minute) for minute in range(25, 31)]


def test_a_clock_that_is_set_back_fires_nothing_twice():
    event = scheduled()
    ScheduleEvent.sweep(at(12, 0))
    ScheduleEvent.objects.update(next_at=NOON)  # as an instance that was read before would write it
    ScheduleEvent.sweep(at(12, 1))
    event.refresh_from_db()
    assert (ticks(), event.next_at) == ([NOON], at(13))


def test_a_disabled_trigger_does_not_tick_and_goes_on_with_the_next_time_when_it_is_enabled():
    event = scheduled()
    disable(event.trigger_id)
    event.refresh_from_db()
    assert event.next_at is None
    ScheduleEvent.sweep(at(20))
    before = timezone.now()
    enable(event.trigger_id)
    event.refresh_from_db()
    assert event.next_at is not None
    assert before < event.next_at <= before + timedelta(hours=1)
    ScheduleEvent.sweep(timezone.now())
    assert ticks() == []


def test_a_trigger_without_action_does_not_tick():
    event = scheduled()
    event.trigger.actions.all().delete()
    ScheduleEvent.sweep(at(12, 1))
    event.refresh_from_db()
    assert (ticks(), event.next_at) == ([], at(13))


def test_what_cannot_be_fired_concerns_that_schedule_only_and_is_tried_again(settings, caplog):
    settings.TRIGGERS_AUDIENCES = {"gone": "tests.app.audiences.assignees"}
    broken = ScheduleEvent(cron="0 * * * *", time_zone="UTC", audience="gone")
    make_trigger(broken, RecordEffectAction(), name="broken")
    ScheduleEvent.objects.update(next_at=at(11))
    scheduled()
    ScheduleEvent.objects.filter(pk=broken.pk).update(next_at=at(11))
    settings.TRIGGERS_AUDIENCES = {}
    ScheduleEvent.sweep(at(12))
    assert ticks() == [NOON]
    assert f"Schedule {broken.pk} was not fired" in caplog.text
    broken.refresh_from_db()
    assert broken.next_at == at(11)
    settings.TRIGGERS_AUDIENCES = {"gone": "tests.app.audiences.assignees"}
    ScheduleEvent.sweep(at(12))
    assert len(ticks()) == 2


def test_every_sweep_asks_the_classes_of_events(ada):
    event = scheduled(next_at=timezone.now() - timedelta(seconds=1))
    sweep("celery")
    assert Occurrence.objects.get().event_id == event.pk


def test_a_class_that_raises_does_not_keep_the_sweep_from_its_other_work(monkeypatch, caplog):
    def fail(cls, now):
        raise ValueError("no")

    monkeypatch.setattr(ScheduleEvent, "sweep", classmethod(fail))
    assert sweep("celery") == 0
    assert "The sweep of triggers_events.ScheduleEvent failed" in caplog.text


def test_when_nothing_is_due_the_sweep_costs_one_query(django_assert_num_queries):
    scheduled()
    with django_assert_num_queries(1):
        ScheduleEvent.sweep(at(11))


def test_the_next_time_is_worked_out_anew_only_when_the_times_have_changed():
    event = scheduled()
    event.delay = timedelta(minutes=1)
    event.save()
    event.refresh_from_db()
    assert event.next_at == NOON
    event.cron = "30 * * * *"
    event.save(update_fields=["cron"])
    event.refresh_from_db()
    assert event.next_at > timezone.now()
    assert event.next_at.minute == 30


def test_an_interval_is_counted_from_its_start():
    event = ScheduleEvent(interval=timedelta(minutes=90), starts_at=at(7, 10))
    assert next(event.times(at(1))) == at(7, 10)
    assert next(event.times(at(7, 10))) == at(8, 40)
    assert next(event.times(at(12))) == at(13, 10)


def test_an_interval_without_start_is_counted_from_midnight():
    assert next(ScheduleEvent(interval=timedelta(minutes=20)).times(at(12, 1))) == at(12, 20)


def test_a_cron_expression_means_nothing_before_the_start():
    event = ScheduleEvent(cron="0 12 * * *", time_zone="UTC", starts_at=at(12, day=9))
    assert next(event.times(NOON)) == at(12, day=9)


def test_a_tick_does_not_change_the_definition_that_waiting_runs_keep_to():
    event = scheduled()
    before = snapshots._describe(load_definitions([event.trigger_id], "default")[event.trigger_id], event)
    ScheduleEvent.sweep(at(12))
    event.refresh_from_db()
    assert snapshots._describe(load_definitions([event.trigger_id], "default")[event.trigger_id], event) == before
    assert "next_at" not in before["event"]["columns"]


@pytest.mark.parametrize(
    ("expression", "day", "expected"),
    [
        # clocks go from 02:00 to 03:00 on 29 March, and from 03:00 back to 02:00 on 25 October
        ("30 2 * * *", (29, 3), [at(1, day=29, month=3)]),
        ("30 2 * * *", (25, 10), [at(0, 30, day=25, month=10)]),
        ("0 3 * * *", (29, 3), [at(1, day=29, month=3)]),
        ("30 * 29 3 *", (29, 3), None),
        ("*/30 2 * * *", (29, 3), []),
        (
            "*/30 2 * * *",
            (25, 10),
            [at(hour, minute, day=25, month=10) for hour in (0, 1) for minute in (0, 30)],
        ),
    ],
)
def test_clocks_of_vienna_that_jump(expression, day, expected):
    event = ScheduleEvent(cron=expression, time_zone="Europe/Vienna")
    start = at(22, day=day[0] - 1, month=day[1]) + timedelta(hours=1 if day[1] == 3 else 0)
    end = start + timedelta(hours=23 if day[1] == 3 else 25)
    found = _between(event, start, end)
    if expected is None:
        assert len(found) == 23
    else:
        assert found == expected
    # from whatever moment it is counted, it is the same
    for minutes in range(0, 25 * 60, 7):
        after = start + timedelta(minutes=minutes)
        assert _between(event, after, end) == [moment for moment in found if moment > after]


def _between(event, after, end):
    return list(takewhile(lambda moment: moment < end, event.times(after)))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "cron"),
        ({"cron": "* * * * *", "interval": timedelta(hours=1)}, "interval"),
        ({"interval": timedelta(seconds=59)}, "interval"),
        ({"interval": timedelta(days=4000)}, "interval"),
        ({"cron": "0 8 * *"}, "cron"),
        ({"cron": "0 0 8 * * *"}, "cron"),
        ({"cron": "0 8 30 2 *"}, "cron"),
        ({"cron": "61 8 * * *"}, "cron"),
        ({"cron": "@daily"}, "cron"),
        ({"cron": "0 8 * * *", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"cron": "0 8 * * *", "time_zone": "../../etc/passwd"}, "time_zone"),
        ({"cron": "0 8 * * *", "audience": "nobody"}, "audience"),
        ({"cron": "0 8 * * *", "on_missed": "never"}, "on_missed"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(fields, named):
    with pytest.raises(ValidationError) as refused:
        ScheduleEvent(**fields).full_clean(exclude=["trigger", "event_ptr"])
    assert list(refused.value.message_dict) == [named]


def test_the_field_of_a_cron_expression_that_is_wrong_is_named():
    with pytest.raises(ValidationError, match="day-of-week"):
        cron.check("0 8 * * MOND")


def test_an_event_without_times_of_its_own_is_swept_by_nobody():
    assert Event.sweep(NOON) is None
