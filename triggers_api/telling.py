"""What is told of records to one reader. Of many records as cheaply as of one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber
from rest_framework.request import Request

from triggers import clock, statements
from triggers.models import AudienceChunk, Occurrence, Run
from triggers_api import people
from triggers_api.permissions import may_see_context
from triggers_api.serializers.records import OccurrenceSerializer, RunSerializer

#: How many of its runs are told with an occurrence.
MAX_RUNS: Final = 100


class RunsOf:
    """The first runs of each of the occurrences, and how many runs of each status it has: three queries at most."""

    def __init__(self, occurrences: Iterable[Occurrence]) -> None:
        using = clock.alias()
        ids = [occurrence.pk for occurrence in occurrences]
        runs = Run.objects.using(using).filter(occurrence__in=ids)
        if len(ids) == 1:  # the answer to each firing
            self.all = statements.select(Run, using, {"occurrence": ids}, first=MAX_RUNS)
        else:
            place = Window(RowNumber(), partition_by=F("occurrence"), order_by=F("pk").asc())
            self.all = list(runs.annotate(place=place).filter(place__lte=MAX_RUNS).order_by("pk"))
        self._first: dict[UUID, list[Run]] = defaultdict(list)
        for run in self.all:
            self._first[run.occurrence_id].append(run)
        self._counts = {id: Counter(run.status for run in first) for id, first in self._first.items()}
        if more := [id for id, first in self._first.items() if len(first) == MAX_RUNS]:
            counted = runs.filter(occurrence__in=more).order_by().values_list("occurrence", "status")
            self._counts |= {id: Counter() for id in more}
            for id, status, number in counted.annotate(number=Count("pk")):
                self._counts[id][status] = number

        unread = {"occurrence": ids, "done_at": None}
        self._unread = statements.distinct(AudienceChunk, using, "occurrence", unread)

    def are_all_made(self, occurrence: Occurrence) -> bool:
        """Whether all users of its audience have their runs."""
        return occurrence.pk not in self._unread

    def first(self, occurrence: Occurrence) -> list[Run]:
        return self._first[occurrence.pk]

    def counts(self, occurrence: Occurrence) -> dict[str, int]:
        counts = self._counts.get(occurrence.pk, Counter())
        return {status: counts[status] for status in Run.Status.values}


def tell_occurrences(request: Request, occurrences: Sequence[Occurrence]) -> list[dict[str, Any]]:
    """The occurrences, each with its first runs."""
    runs = RunsOf(occurrences)
    context = _context(request, runs.all) | {"runs": runs}
    return list(OccurrenceSerializer(occurrences, many=True, context=context).data)


def tell_occurrence(request: Request, occurrence: Occurrence) -> dict[str, Any]:
    (told,) = tell_occurrences(request, [occurrence])
    return told


def tell_run(request: Request, run: Run) -> dict[str, Any]:
    """The run with its steps."""
    return dict(RunSerializer(run, context=_context(request, [run])).data)


def _context(request: Request, runs: Iterable[Run]) -> dict[str, Any]:
    return {
        "names": people.names(run.user_id for run in runs),
        "may_see_context": partial(may_see_context, request),
    }
