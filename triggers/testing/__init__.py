"""
For the tests of projects that use triggers: set up triggers, run what was fired without broker or commit, and ask
what became of it.

``TriggersTestMixin`` is for Django's test cases, ``triggers.testing.fixtures`` for pytest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock
from uuid import UUID

from django.db.models import Q, QuerySet

from triggers import clock, engines, waking
from triggers.audiences import user_key
from triggers.context import decode
from triggers.engines.base import Engine
from triggers.expansion import expand
from triggers.models import Action, AudienceChunk, Condition, Event, Occurrence, Run, Trigger
from triggers.registry import event_kind
from triggers.running import advance

__all__ = [
    "TriggersTestMixin",
    "assert_fired",
    "assert_not_fired",
    "assert_ran",
    "make_trigger",
    "run_triggers",
    "without_broker",
]

_ROUNDS = 100


class _IdleEngine(Engine):
    """Nothing runs until the test says so."""

    name = "idle"

    def start(self, run_ids: Sequence[UUID], due_at: datetime | None = None) -> None:
        pass

    def expand(self, chunk_ids: Sequence[UUID]) -> None:
        pass


@contextmanager
def without_broker() -> Iterator[None]:
    """Inside, what is fired is recorded and not handed to any engine, whether or not transactions commit."""
    with mock.patch.object(engines, "get", return_value=_IdleEngine()):
        yield


def make_trigger(
    *components: Event | Condition | Action, name: str = "trigger", is_enabled: bool = True, **fields: Any
) -> Trigger:
    """A saved trigger of these unsaved components; actions are performed in the order given."""
    trigger = Trigger.objects.create(name=name, is_enabled=is_enabled, **fields)
    for position, component in enumerate(components):
        component.trigger = trigger
        if isinstance(component, Action):
            component.position = position
        component.save()
    return trigger


def run_triggers(*, after: timedelta = timedelta()) -> list[Run]:
    """
    Perform in this process what was fired, up to what is due ``after`` that time; returns the runs that moved.

    Delays, waits and the pauses before further attempts pass as far as ``after`` allows. The clock that conditions
    read is not moved.
    """
    using = clock.alias()
    for chunk_id in AudienceChunk.objects.using(using).filter(done_at=None).values_list("pk", flat=True):
        while expand(chunk_id):
            pass
    _wake_up(using)
    until = clock.Clock(using).now() + after
    moved = list(_due(until, using).values_list("pk", flat=True))
    now = None
    for _ in range(_ROUNDS):
        due = list(_due(until, using).values_list("pk", flat=True))
        if not due:
            break
        moved += [run_id for run_id in due if run_id not in moved]
        remaining = advance(due, now=now)
        _wake_up(using)
        upcoming = [run.due_at for run in remaining if run.due_at and run.due_at <= until]
        now = min(upcoming, default=now)
    return list(Run.objects.using(using).filter(pk__in=moved).order_by("pk"))


def _wake_up(using: str) -> None:
    """What commits would have had done: runs wake whose event has come."""
    waking.catch_up(clock.Clock(using).now() + timedelta(minutes=1))
    awaiting = Run.objects.using(using).open().filter(awaited_type__isnull=False)
    waking.look_for_events(list(awaiting.values_list("pk", flat=True)), tell=False)


def _due(until: datetime, using: str) -> QuerySet[Run]:
    runs = Run.objects.using(using).open()
    return runs.filter(due_at=None) | runs.filter(due_at__lte=until)


def assert_fired(
    event_type: type[Event] | str, *, user: Any = None, context: dict[str, Any] | None = None, times: int | None = None
) -> Occurrence:
    """
    The event was fired (to that user, with that context, as often as ``times`` says); returns the last occurrence.

    Users of a queryset are known once ``run_triggers`` has taken it apart.
    """
    found = _fired(event_type, user, context)
    type_ = event_kind(event_type).name
    if not found:
        others = sorted(set(Occurrence.objects.values_list("type", flat=True)))
        raise AssertionError(f"{type_} was not fired as expected. Fired: {', '.join(others) or 'nothing'}.")
    if times is not None and len(found) != times:
        raise AssertionError(f"{type_} was fired {len(found)} times, not {times}.")
    return found[-1]


def assert_not_fired(event_type: type[Event] | str, *, user: Any = None) -> None:
    """The event was not fired (to that user)."""
    found = _fired(event_type, user, None)
    if found:
        raise AssertionError(f"{event_kind(event_type).name} was fired {len(found)} times.")


def assert_ran(
    trigger: Trigger, *, user: Any = None, status: str = Run.Status.SUCCEEDED, code: str | None = None
) -> Run:
    """The trigger has a run (for that user) that ended like this; returns the last one."""
    runs = Run.objects.filter(trigger=trigger).order_by("pk")
    if user is not None:
        runs = runs.filter(user=user_key(user))
    matching = [run for run in runs if run.status == status and code in (None, run.code)]
    if not matching:
        ends = [f"{run.status} {run.code} {run.detail}".strip() for run in runs]
        expected = f"{status} {code or ''}".strip()
        raise AssertionError(f"No run of “{trigger}” is {expected}. There are: {'; '.join(ends) or 'none'}.")
    return matching[-1]


def _fired(event_type: type[Event] | str, user: Any, context: dict[str, Any] | None) -> list[Occurrence]:
    occurrences = Occurrence.objects.filter(type=event_kind(event_type).name).order_by("pk")
    if user is not None:
        key = user_key(user)
        occurrences = occurrences.filter(Q(runs__user=key) | Q(happenings__user=key)).distinct()
    return [occurrence for occurrence in occurrences if context in (None, decode(occurrence.context))]


class TriggersTestMixin:
    """
    For Django's test cases: nothing is handed to a broker, and the functions of this module are methods.

    Put it before the test case: ``class TaskTests(TriggersTestMixin, TestCase)``.
    """

    make_trigger = staticmethod(make_trigger)
    run_triggers = staticmethod(run_triggers)
    assert_fired = staticmethod(assert_fired)
    assert_not_fired = staticmethod(assert_not_fired)
    assert_ran = staticmethod(assert_ran)

    def setUp(self) -> None:
        broker = without_broker()
        broker.__enter__()
        self.addCleanup(broker.__exit__, None, None, None)  # type: ignore[attr-defined]
        super().setUp()  # type: ignore[misc]
