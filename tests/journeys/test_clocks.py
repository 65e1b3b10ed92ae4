"""What time it is where somebody is, and when it is that time of day there next."""

from datetime import UTC, datetime, time, timedelta, timezone
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ObjectDoesNotExist
from pytest_django import Settings

from triggers.contrib.journeys.clocks import next_time, zone_of

VIENNA = ZoneInfo("Europe/Vienna")


def vienna(text: str) -> datetime:
    return next_time(time(9, 30), VIENNA, datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-01-15T06:00:00+00:00", "2026-01-15T08:30:00+00:00"),
        ("2026-07-15T06:00:00+00:00", "2026-07-15T07:30:00+00:00"),
        ("2026-01-15T08:30:00+00:00", "2026-01-16T08:30:00+00:00"),  # it is that time just now: tomorrow
        ("2026-01-15T08:29:59.999999+00:00", "2026-01-15T08:30:00+00:00"),
        ("2026-01-15T23:30:00+00:00", "2026-01-16T08:30:00+00:00"),  # it is the next day there already
        ("2026-03-28T12:00:00+00:00", "2026-03-29T07:30:00+00:00"),  # over night the clocks were put forward
        ("2026-10-24T12:00:00+00:00", "2026-10-25T08:30:00+00:00"),  # and back
    ],
)
def test_the_next_time_is_that_of_clocks_on_the_wall(after: str, expected: str) -> None:
    assert vienna(after) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        # On 29 March 2026 clocks go from 02:00 to 03:00: what should be 02:30 is 03:30.
        ("2026-03-29T00:00:00+00:00", "2026-03-29T01:30:00+00:00"),
        ("2026-03-29T01:30:00+00:00", "2026-03-30T00:30:00+00:00"),
        # On 25 October they go from 03:00 back to 02:00: of the two times 02:30, the first is meant.
        ("2026-10-25T00:00:00+00:00", "2026-10-25T00:30:00+00:00"),
        ("2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"),
        ("2026-10-25T01:00:00+00:00", "2026-10-26T01:30:00+00:00"),  # between the two
    ],
)
def test_a_time_that_clocks_skip_or_show_twice_comes_once(after: str, expected: str) -> None:
    assert next_time(time(2, 30), VIENNA, datetime.fromisoformat(after)) == datetime.fromisoformat(expected)


def test_every_day_of_a_year_has_it_once_in_zones_of_all_kinds() -> None:
    for name in ("Europe/Vienna", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"):
        moment, days = datetime(2026, 1, 1, tzinfo=UTC), []
        while moment < datetime(2027, 1, 1, tzinfo=UTC):
            moment = next_time(time(2, 15), ZoneInfo(name), moment)
            days.append(moment.astimezone(ZoneInfo(name)).date())
        assert len(set(days)) == len(days) >= 365


class Broken:
    @property
    def profile(self) -> object:
        raise ObjectDoesNotExist


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (SimpleNamespace(pk=1, time_zone="Asia/Tokyo"), "Asia/Tokyo"),
        (SimpleNamespace(pk=1, time_zone=ZoneInfo("Asia/Tokyo")), "Asia/Tokyo"),
        (SimpleNamespace(pk=1, time_zone=timezone(timedelta(hours=2))), "UTC+02:00"),
        (SimpleNamespace(pk=1, time_zone=""), "America/Lima"),
        (SimpleNamespace(pk=1, time_zone=None), "America/Lima"),
        (SimpleNamespace(pk=1, time_zone="Mars/Olympus"), "America/Lima"),
        (SimpleNamespace(pk=1, time_zone="../../etc/passwd"), "America/Lima"),
        (SimpleNamespace(pk=1), "America/Lima"),
    ],
)
def test_the_zone_is_the_users_own_or_the_projects(user: object, expected: str, settings: Settings) -> None:
    settings.TIME_ZONE = "America/Lima"
    assert str(zone_of(user)) == expected


def test_the_setting_says_where_the_zone_is_found(settings: Settings) -> None:
    settings.TIME_ZONE = "America/Lima"
    settings.TRIGGERS_USER_TIME_ZONE = "profile.zone"
    assert str(zone_of(SimpleNamespace(pk=1, profile=SimpleNamespace(zone="Asia/Tokyo")))) == "Asia/Tokyo"
    assert str(zone_of(Broken())) == "America/Lima"
