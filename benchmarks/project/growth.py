"""Many runs in the database, and what is done beside them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient
from scene import settle

from triggers import fire, running, sweeping
from triggers.models import Occurrence, Run, Step, Trigger

#: How many runs each occurrence has, and each user.
RUNS, RUNS_OF_USER = 10, 30
REPEATS = 20


def fill(number: int) -> None:
    """So many runs that have ended, of occurrences and with steps as they should be, copied from one by SQL."""
    occurrence = fire("shop.OrderPlaced", users=1, context={"order": 1})
    (run,) = occurrence.runs.all()
    running.advance([run.pk])
    step = run.steps.get()
    with connection.cursor() as cursor:
        one = f"triggers_occurrence WHERE id = '{occurrence.pk}'"
        many = f"generate_series(1, {number // RUNS}) AS n"
        cursor.execute(
            _copy(Occurrence, f"(SELECT * FROM {one}) AS c, {many}", id="uuidv7(make_interval(secs => n - 2000000))")
        )
        copies = "(SELECT id AS o, row_number() OVER (ORDER BY id) AS n FROM triggers_occurrence) AS n"
        cursor.execute(
            _copy(
                Run,
                f"(SELECT * FROM triggers_run WHERE id = '{run.pk}') AS c, {copies}, generate_series(1, {RUNS}) AS i",
                id="uuidv7(make_interval(secs => n - 2000000))",
                occurrence_id="o",
                user_id=f"(n * {RUNS} + i) % {number // RUNS_OF_USER} + 2",
                status="CASE n % 50 WHEN 0 THEN 'failed' ELSE 'succeeded' END",
            )
        )
        cursor.execute(
            _copy(
                Step,
                f"(SELECT * FROM triggers_step WHERE id = {step.pk}) AS c, (SELECT id AS r FROM triggers_run) AS r",
                "ON CONFLICT DO NOTHING",
                id="nextval(pg_get_serial_sequence('triggers_step', 'id'))",
                run_id="r",
            )
        )
    settle()


def _copy(model: type[models.Model], source: str, conflict: str = "", **changes: str) -> str:
    columns = [field.column for field in model._meta.concrete_fields]
    values = [changes.get(column, f"c.{column}") for column in columns]
    return (
        f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {source} {conflict}"
    )


def stored() -> dict[str, float]:
    """The median milliseconds of what is done beside the runs that are there."""
    found = {name: _milliseconds(call) for name, call in _calls().items()}
    run_ids = [run.pk for key in range(2, 102) for run in fire("shop.OrderPlaced", users=key).runs.all()]
    return found | {"ms to advance a chunk": _milliseconds(lambda: running.advance(run_ids), 1)}


def plans() -> dict[str, list[str]]:
    """How the database finds what each call asks for: the scans of its statements, each once."""
    found: dict[str, list[str]] = {}
    for name, call in _calls().items():
        with CaptureQueriesContext(connection) as queries:
            call()
        scans: dict[str, None] = {}
        for query in queries.captured_queries:
            if query["sql"].startswith("SELECT"):
                scans |= dict.fromkeys(_scans(query["sql"]))
        found[name] = list(scans)
    return found


def _scans(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (COSTS OFF) {sql}".replace("%", "%%"), [])
        lines = [line for (line,) in cursor.fetchall()]
    return [found[0] for line in lines if (found := re.search(r"\w[\w ]* Scan.*", line))]


def _calls() -> dict[str, Callable[[], Any]]:
    user, _ = User.objects.get_or_create(username="reader", is_superuser=True)
    client = APIClient()
    client.force_authenticate(user)
    trigger = Trigger.objects.get()

    def get(path: str) -> None:
        answer = client.get(f"/api/{path}")
        assert answer.status_code == 200, answer.content

    return {
        "ms to fire": lambda: fire("shop.OrderPlaced", users=1, context={"order": 1}),
        "ms to sweep": lambda: sweeping.sweep("celery"),
        "ms to list occurrences": lambda: get("occurrences/"),
        "ms to list runs": lambda: get("runs/"),
        "ms to list a user's runs": lambda: get("runs/?user=7"),
        "ms to list a trigger's failed runs": lambda: get(f"runs/?trigger={trigger.pk}&status=failed"),
    }


def _milliseconds(call: Callable[[], Any], repeats: int = REPEATS) -> float:
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return 1000 * median(seconds)
