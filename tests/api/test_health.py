"""``GET health/live/`` and ``GET health/ready/``: whether requests are served, and what they leave is worked on."""

import re
from datetime import timedelta

import pytest
from celery import Celery, current_app
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from tests.api.outage import DownDatabase
from tests.api.problems import assert_problem, problem
from triggers import fire
from triggers.models import AudienceChunk, Run, Trigger

pytestmark = pytest.mark.django_db

LIVE = "/api/v1/health/live/"
READY = "/api/v1/health/ready/"
TYPE = "app.TaskCompletedEvent"


def test_anybody_is_told_that_the_process_lives(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        response = APIClient().get(LIVE)

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_anybody_is_told_that_it_is_ready(anna: User, trigger: Trigger) -> None:
    fire(TYPE, users=anna)
    fire(TYPE, users=anna, delay=timedelta(days=1))
    fire(TYPE, users=User.objects.all())

    response = APIClient().get(READY)

    assert (response.status_code, response.json()) == (200, {"status": "ok", "oldest_overdue_seconds": 0})


@pytest.mark.parametrize("path", [LIVE, READY])
def test_credentials_are_not_asked_for_nor_looked_at(path: str) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Token wrong")

    assert client.get(path).status_code == 200
    assert client.head(path).status_code == 200
    assert_problem(client.post(path), problem(405, "method_not_allowed", 'Method "POST" not allowed.'))


@pytest.mark.parametrize("model", [Run, AudienceChunk])
def test_work_that_nobody_takes_makes_it_not_ready(
    anna: User, trigger: Trigger, settings: Settings, caplog: pytest.LogCaptureFixture, model: type[Run | AudienceChunk]
) -> None:
    settings.TRIGGERS_LEASE = timedelta(minutes=2)
    fire(TYPE, users=anna)
    fire(TYPE, users=User.objects.all())
    now = timezone.now()

    model.objects.update(next_handover_at=now - timedelta(seconds=100))
    response = APIClient().get(READY)
    assert response.status_code == 200
    overdue = response.json()["oldest_overdue_seconds"]
    assert 99 <= overdue < 120

    model.objects.update(next_handover_at=now - timedelta(hours=1))
    response = APIClient().get(READY)
    body = response.json()
    assert re.fullmatch("Work has been overdue for 36[0-9]{2} seconds: no worker takes it.", body["detail"])
    assert_problem(response, problem(503, "work_overdue", body["detail"]))
    assert not [record for record in caplog.records if record.exc_info]  # nothing has failed here


def test_runs_that_have_ended_are_not_overdue(anna: User, trigger: Trigger) -> None:
    fire(TYPE, users=anna)
    Run.objects.update(status="succeeded", next_handover_at=None)

    assert APIClient().get(READY).json() == {"status": "ok", "oldest_overdue_seconds": 0}


def test_without_a_celery_app_it_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELERY_BROKER_URL")
    project = current_app._get_current_object()  # type: ignore[attr-defined]
    Celery("nobody works for this one", loader="default").set_current()
    try:
        response = APIClient().get(READY)
    finally:
        project.set_current()

    detail = (
        "No Celery app is configured in this process: what is fired here is found by the sweep only. "
        "Import the project's Celery app in its __init__.py, as Celery's first steps with Django show."
    )
    assert_problem(response, problem(503, "engine_not_ready", detail))


@pytest.mark.django_db(transaction=True)
def test_without_a_database_it_lives_but_is_not_ready() -> None:
    client = APIClient(raise_request_exception=False)

    with DownDatabase():
        live, ready = client.get(LIVE), client.get(READY)

    assert live.status_code == 200
    detail = "The database is not available. Try again later."
    assert_problem(ready, problem(503, "database_unavailable", detail))


def test_what_it_asks_costs_the_same_however_much_there_is(
    anna: User, trigger: Trigger, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        fire(TYPE, users=anna)
        # The time, the runs, the audiences.
        with django_assert_num_queries(3):
            APIClient().get(READY)
