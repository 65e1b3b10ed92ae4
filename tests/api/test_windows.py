"""Windows of time in long lists: found by the index of ids, which are made in the order of time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.api.conftest import StartClient
from triggers.ids import first_uuid7
from triggers.models import Occurrence, Run

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ROWS = 1500


@pytest.fixture
def lister(client_with: StartClient) -> APIClient:
    return client_with("view_occurrence", "view_run")


@pytest.fixture
def long_lists(db: None) -> None:
    """An occurrence and a run every hour."""
    moments = [NOON + timedelta(hours=hours) for hours in range(ROWS)]
    occurrences = Occurrence.objects.bulk_create(
        Occurrence(id=first_uuid7(moment), type="probe.ProbeEvent", occurred_at=moment) for moment in moments
    )
    runs = Run.objects.bulk_create(
        Run(id=first_uuid7(moment), occurrence=occurrence, event_id=1, trigger_id=1, user_id=1, engine="celery")
        for moment, occurrence in zip(moments, occurrences, strict=True)
    )
    for occurrence, run, moment in zip(occurrences, runs, moments, strict=True):
        occurrence.recorded_at = run.created_at = moment
    Occurrence.objects.bulk_update(occurrences, ["recorded_at"], batch_size=1000)
    Run.objects.bulk_update(runs, ["created_at"], batch_size=1000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def plan(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(("EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN ") + sql)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


@pytest.mark.parametrize(
    ("kind", "after", "before"),
    [("occurrences", "recorded_after", "recorded_before"), ("runs", "created_after", "created_before")],
)
def test_a_window_is_found_by_an_index(lister: APIClient, long_lists: None, kind: str, after: str, before: str) -> None:
    begin = NOON + timedelta(hours=1000)
    query: dict[str, Any] = {after: begin.isoformat(), before: (begin + timedelta(hours=3)).isoformat()}

    with CaptureQueriesContext(connection) as captured:
        rows = lister.get(f"/api/v1/{kind}/", query).json()["results"]

    assert [row["id"] for row in rows] == [str(first_uuid7(begin + timedelta(hours=hours))) for hours in (2, 1, 0)]
    found = plan(captured.captured_queries[-1]["sql"])
    bounds = ("id>?", "id<?") if connection.vendor == "sqlite" else ("Index Cond", "id >= ", "id < ")
    assert all(bound in found for bound in bounds), found
    assert not re.search("Seq Scan|SCAN", found), found
