"""Schedules are set up over HTTP and in the admin; what is wrong is refused at its place."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from tests.admin.pages import add_component, form_values, text, trigger_url
from tests.probe.models import RecordEffectAction
from triggers.contrib.events.models import ScheduleEvent
from triggers.testing import make_trigger, without_broker

pytestmark = pytest.mark.django_db

URL = "/api/v1/triggers/"
SCHEDULE = {"type": "triggers_events.ScheduleEvent", "cron": "30 9 * * MON-FRI", "time_zone": "Europe/Vienna"}


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("root"))
    return client


def body(*events: Any) -> dict[str, Any]:
    return {
        "type": "triggers.Trigger",
        "name": "digest",
        "events": list(events),
        "actions": [{"type": "probe.RecordEffectAction"}],
    }


def test_a_schedule_is_set_up_over_http_and_tells_its_next_times(client: APIClient) -> None:
    response = client.post(URL, body(SCHEDULE), format="json")
    assert response.status_code == 201, response.json()
    [told] = response.json()["events"]
    event = ScheduleEvent.objects.get()
    next_times = [moment.isoformat().replace("+00:00", "Z") for moment in event.next_times]
    assert len(set(next_times)) == 5
    assert told == SCHEDULE | {
        "id": event.pk,
        "delay": "P0DT00H00M00S",
        "interval": None,
        "starts_at": None,
        "audience": "all",
        "on_missed": "run_once",
        "next_at": None,
        "next_times": next_times,
    }
    enabled = client.post(response.headers["Location"] + "enable/", format="json")
    [told] = enabled.json()["events"]
    assert told["next_at"] == next_times[0]
    refused = client.put(response.headers["Location"], body(SCHEDULE | {"next_times": []}), format="json")
    assert refused.status_code == 400
    assert [(error["pointer"], error["code"]) for error in refused.json()["errors"]] == [
        ("/events/0/next_times", "read_only")
    ]


def test_what_passes_with_time_does_not_change_the_etag(client: APIClient) -> None:
    created = client.post(URL, body(SCHEDULE), format="json")
    client.post(created.headers["Location"] + "enable/", format="json")
    before = client.get(created.headers["Location"]).headers["ETag"]
    ScheduleEvent.objects.update(next_at=timezone.now() - timedelta(days=1))
    with without_broker():
        ScheduleEvent.sweep(timezone.now())
    assert client.get(created.headers["Location"]).headers["ETag"] == before
    ScheduleEvent.objects.update(cron="0 0 * * *")
    assert client.get(created.headers["Location"]).headers["ETag"] != before


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"cron": ""}, "cron", "invalid"),
        ({"interval": "PT1H"}, "interval", "invalid"),
        ({"cron": "", "interval": "PT59S"}, "interval", "min_value"),
        ({"cron": "0 0 30 2 *"}, "cron", "cron"),
        ({"cron": "often"}, "cron", "cron"),
        ({"cron": None}, "cron", "null"),
        ({"time_zone": "Europe/Wien"}, "time_zone", "time_zone"),
        ({"time_zone": "/etc/passwd"}, "time_zone", "time_zone"),
        ({"audience": "nobody"}, "audience", "invalid_choice"),
        ({"on_missed": "never"}, "on_missed", "invalid_choice"),
        ({"starts_at": "2026-01-31"}, "starts_at", "offset_missing"),
    ],
)
def test_what_cannot_be_is_refused_over_http(client: APIClient, fields: Any, field: str, code: str) -> None:
    response = client.post(URL, body(SCHEDULE | fields), format="json")
    assert response.status_code == 400
    assert [(error["pointer"], error["code"]) for error in response.json()["errors"]] == [(f"/events/0/{field}", code)]
    assert not ScheduleEvent.objects.exists()


def test_the_admin_shows_the_next_times_and_refuses_what_cannot_be(admin_client: Client) -> None:
    event = ScheduleEvent(cron="0 12 24 12 *", time_zone="Europe/Vienna")
    trigger = make_trigger(event, RecordEffectAction())
    page = admin_client.get(trigger_url(trigger))
    shown = text(page)
    year = event.next_times[0].year
    assert all(f"{year + number}-12-24 12:00 CET" in shown for number in range(5))

    values = form_values(page)
    values["events-0-cron"] = "0 12 30 2 *"
    refused = admin_client.post(trigger_url(trigger), values)
    assert refused.status_code == 200
    assert "The field “day-of-month” cannot be used" in text(refused)

    values["events-0-cron"] = "0 12 25 12 *"
    assert admin_client.post(trigger_url(trigger), values).status_code == 302
    changed = ScheduleEvent.objects.get()
    assert (changed.cron, changed.next_at) == ("0 12 25 12 *", changed.next_times[0])


def test_a_schedule_is_made_in_the_admin(admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:triggers_trigger_add"))
    values = form_values(page) | {"name": "digest"}
    add_component(values, "events", ScheduleEvent, cron="0 8 * * *", audience="all", on_missed="skip")
    response = admin_client.post(reverse("admin:triggers_trigger_add"), values)
    assert response.status_code == 302, text(response)
    event = ScheduleEvent.objects.get()
    assert (event.cron, event.on_missed, event.next_at) == ("0 8 * * *", "skip", None)
