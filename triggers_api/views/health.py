"""Whether this process serves requests, and whether what it accepts is worked on. For those who watch it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Min
from rest_framework.request import Request
from rest_framework.response import Response

from triggers import clock, conf, engines
from triggers.models import AudienceChunk, Run
from triggers_api.errors import Problem
from triggers_api.schema.operations import Operation, told
from triggers_api.views.base import TriggersView

_OK: Final = {"type": "string", "enum": ["ok"]}


class HealthView(TriggersView):
    """Answers anybody, however often."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []
    tag = "health"


class LiveView(HealthView):
    """This process answers; nothing else is asked."""

    operations = {"get": Operation("health_live", told(status=_OK))}

    def get(self, request: Request) -> Response:
        return Response({"status": "ok"})


class ReadyView(HealthView):
    """
    The database answers, the engine is set up and reaches its broker, and workers take what is due.

    Workers look for due work every few seconds. What they have left alone for longer than a worker may hold work
    without a sign of life (``TRIGGERS_LEASE``) says that there is none.
    """

    operations = {
        "get": Operation(
            "health_ready",
            told(status=_OK, oldest_overdue_seconds={"type": "integer", "minimum": 0}),
            refuses={503: ("database_unavailable", "engine_not_ready", "work_overdue")},
        )
    }

    def get(self, request: Request) -> Response:
        overdue = int(_overdue().total_seconds())
        engine = engines.default()
        if problem := engine.problem():
            raise Problem(503, "engine_not_ready", " ".join(problem))
        if outage := engine.outage():
            raise Problem(503, "broker_unavailable", outage)
        if overdue > conf.lease().total_seconds():
            detail = f"Work has been overdue for {overdue} seconds: no worker takes it."
            raise Problem(503, "work_overdue", detail)
        return Response({"status": "ok", "oldest_overdue_seconds": overdue})


def _overdue() -> timedelta:
    """For how long the oldest work that is due has not been handed to a worker."""
    using = clock.alias()
    now = clock.Clock(using).now()
    work: tuple[Any, ...] = (Run, AudienceChunk)
    oldest: list[datetime | None] = [
        model.objects.using(using)
        .filter(engine__in=engines.names())
        .aggregate(oldest=Min("next_handover_at"))["oldest"]
        for model in work
    ]
    return max((now - moment for moment in oldest if moment and moment < now), default=timedelta())
