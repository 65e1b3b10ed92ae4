"""
Claiming: runs are one worker's at a time, by a token and a lease that ends by the database's clock.

Every later write to a run carries the token. Where it finds no row, another worker has taken over or the run is
gone: ``LeaseLost`` rolls back whatever was done meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import connections, transaction
from django.db.models import Case, DateTimeField, F, Max, PositiveSmallIntegerField, Q, Value, When
from django.db.models.functions import Coalesce

from triggers import conf, statements
from triggers.clock import Clock
from triggers.exceptions import TriggersError
from triggers.handover import next_handover_at
from triggers.ids import first_uuid7
from triggers.models import Run
from triggers.models.records import RunQuerySet

_RECENT: Final = timedelta(minutes=1)

#: What a run is that no worker performs: admitted before, or not yet.
NOT_BEGUN: Final = Case(When(reserved_at=None, then=Value(Run.Status.PENDING)), default=Value(Run.Status.WAITING))


class LeaseLost(TriggersError):
    """The runs are no longer this worker's, or no longer there."""

    code = "lease_lost"


class Lease:
    """The claim of one call of ``advance`` on its runs."""

    def __init__(self, using: str, now: datetime | None, should_stop: Callable[[], bool]) -> None:
        self.using = using
        self.token = uuid4()
        self.clock = Clock(using)
        self._length = conf.lease()
        self._began = self.clock.now()
        self._ends = self._began + self._length
        self._ahead = max(now - self._began, timedelta()) if now else timedelta()
        self._should_stop = should_stop
        #: Runs of others, and of the same engine, that became due through this lease's work.
        self.woken: list[UUID] = []

    @property
    def moment(self) -> datetime:
        """What is due by now is due, and waits are counted from it: the caller's time where that is later."""
        return self.clock.now() + self._ahead

    def claim(self, run_ids: Collection[UUID]) -> list[Run]:
        """
        Those of the runs that are due and in nobody's hands, now in this lease's; oldest first.

        A run whose worker was lost is claimed only alone: it may be what killed it. The last time before it fails it
        is alone among all workers' such runs, so that the one at fault does not take an innocent one with it.
        """
        free = Q(lease_until=None) | Q(lease_until__lte=self._began)
        if len(run_ids) > 1:
            free &= ~Q(status=Run.Status.RUNNING) & Q(losses__lt=conf.max_losses() - 1)
        claimable = (
            Run.objects.using(self.using)
            .open()
            .filter(free, Q(due_at=None) | Q(due_at__lte=self.moment), pk__in=run_ids)
        )
        with transaction.atomic(using=self.using):
            runs = self._take(claimable)
            is_last_chance = len(runs) == 1 and runs[0].losses == conf.max_losses() - 1
            if is_last_chance:
                # A worker that is lost before this run has begun is not lost over it.
                self.runs().update(status=NOT_BEGUN)
        return runs if not is_last_chance or self._begins_alone(runs[0]) else []

    def claim_others(self, like: Run, limit: int) -> list[Run]:
        """
        Up to so many further runs of the trigger and engine that are due and not begun, now in this lease's; none over
        which a worker was lost.

        Only runs that are younger, and not older than a minute, are looked at: those are the next in their index.
        """
        oldest = max(like.pk, first_uuid7(self._began - _RECENT))
        waiting = Run.objects.using(self.using).filter(
            Q(due_at=None) | Q(due_at__lte=self.moment),
            trigger_id=like.trigger_id,
            pk__gt=oldest,
            engine=like.engine,
            status=Run.Status.PENDING,
            lease_until=None,
            losses=0,
        )
        return self._take(waiting, limit)

    def _take(self, claimable: RunQuerySet, limit: int | None = None) -> list[Run]:
        """Those of the runs that no other worker takes at the same time."""
        with transaction.atomic(using=self.using, savepoint=False):
            unlocked = claimable.select_related("occurrence").order_by("pk")
            if connections[self.using].features.has_select_for_update_skip_locked:
                unlocked = unlocked.select_for_update(skip_locked=True, of=("self",))
            runs = list(unlocked[:limit])
            # The same question again, for databases that have not locked them.
            claimed = claimable.filter(pk__in=[run.pk for run in runs]).update(
                token=self.token,
                lease_until=self._ends,
                next_handover_at=self._ends,
                handovers=0,
                losses=Case(
                    When(status=Run.Status.RUNNING, then=F("losses") + 1),
                    default=F("losses"),
                    output_field=PositiveSmallIntegerField(),
                ),
                status=Run.Status.RUNNING,
                started_at=Coalesce("started_at", Value(self._began, DateTimeField())),
            )
        if claimed < len(runs):
            return list(self.runs().filter(pk__in=[run.pk for run in runs]).select_related("occurrence").order_by("pk"))
        for run in runs:  # as the statement has made their rows
            run.token = self.token
            run.lease_until = run.next_handover_at = self._ends
            run.handovers = 0
            run.losses += run.status == Run.Status.RUNNING
            run.status = Run.Status.RUNNING
            run.started_at = run.started_at or self._began
        return runs

    def _begins_alone(self, run: Run) -> bool:
        """Begin the run on its last chance, or put it off while another worker holds one too; whether it has begun."""
        held = Run.objects.using(self.using).open().filter(losses__gte=run.losses, lease_until__gt=self.clock.now())
        until = held.exclude(pk=run.pk).aggregate(until=Max("lease_until"))["until"]
        if until is None:
            return bool(self.runs().filter(pk=run.pk).update(status=Run.Status.RUNNING))
        # At random: two that give way to each other should not meet again.
        due_at = until + self._length * random.random()  # noqa: S311 - hides nothing
        self.give_up([run], due_at=due_at, next_handover_at=due_at)
        return False

    def runs(self) -> RunQuerySet:
        """The runs that are in this lease's hands still."""
        return Run.objects.using(self.using).filter(token=self.token)

    def write(self, run: Run, **fields: Any) -> None:
        """
        Write the fields of the run.

        Raises LeaseLost when the run is not this lease's any more, or a step of it was settled meanwhile.
        """
        mine = {"id": run.pk, "token": self.token, "position": run.position}
        if not statements.update(Run, self.using, mine, fields):
            raise LeaseLost(f"Run {run.pk} is no longer in this worker's hands.")

    def ensure(self, needed: timedelta) -> None:
        """Renew the lease unless that much of it is left. Raises LeaseLost when it has ended and was taken."""
        now = self.clock.now()
        if self._ends - now >= needed:
            return
        self._ends = now + max(self._length, needed + self._length / 2)
        if not self.runs().update(lease_until=self._ends, next_handover_at=self._ends):
            raise LeaseLost("All runs of this worker were taken over.")

    def is_cancel_requested(self, run: Run) -> bool:
        """Whether somebody asked for the run to be cancelled since it was claimed."""
        return self.runs().filter(pk=run.pk, cancel_requested_at__isnull=False).exists()

    def hold(self, runs: Sequence[Run]) -> set[UUID]:
        """Lock those of the runs that are still this lease's until the transaction ends; their ids."""
        held = self.runs().filter(pk__in=[run.pk for run in runs])
        # An update, since a plain read locks nothing on SQLite.
        held.update(lease_until=self._ends)
        return set(held.values_list("pk", flat=True))

    def wake_postponed(self, run: Run) -> None:
        """
        The place of the run is free: runs that were put off because of it are due. Those of another engine, which the
        trigger had before, or has now, are found by its sweep.
        """
        postponed = Run.objects.using(self.using).filter(
            trigger_id=run.trigger_id,
            user_id=run.user_id,
            status=Run.Status.PENDING,
            token=None,
            postponements__gt=0,
        )
        engines = dict(postponed.values_list("pk", "engine"))
        if engines:
            postponed.filter(pk__in=engines).update(
                due_at=None, next_handover_at=next_handover_at(None, self.clock.now())
            )
            self.woken += [run_id for run_id, engine in engines.items() if engine == run.engine]

    @property
    def is_spent(self) -> bool:
        """Whether no further run should be begun: half the lease is over, or the worker is to stop."""
        return self._should_stop() or self.clock.now() - self._began > self._length / 2

    def give_up(self, runs: Sequence[Run], **fields: Any) -> None:
        """Let go of runs that were not begun: they are as they were before the claim, and due unless ``fields`` say."""
        if not runs:
            return
        self.runs().filter(pk__in=[run.pk for run in runs]).update(
            status=NOT_BEGUN,
            **{
                "token": None,
                "lease_until": None,
                "next_handover_at": next_handover_at(None, self.clock.now()),
                **fields,
            },
        )
