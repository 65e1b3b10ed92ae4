"""
A run that begins to wait and the event that it waits for, in two transactions at the same time.

Each is stopped before it commits and before it looks for the other, and let go on in every order there is.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import combinations
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from tests.acceptance.scenario import a_trigger, effects, people
from tests.app.models import TaskCompletedEvent
from tests.probe.models import AwaitAction, RecordEffectAction, WaitAction
from triggers import engines, fire, waking
from triggers.models import Happening, Run
from triggers.running import advance, outcomes, settling
from triggers.testing import without_broker

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]

AWAITED = "app.TaskCompletedEvent"
SECONDS = 20


class Actor:
    """Work in a thread and a connection of its own, that halts at chosen places until it is let go on."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._may_go_on = threading.Semaphore(0)
        self._halts = threading.Semaphore(0)
        self._thread: threading.Thread | None = None
        self._work = work
        self._result: Future[Any] = Future()

    def halt(self) -> None:
        """Called by the work: the caller of ``step`` has the word. The work of other threads does not halt."""
        if threading.current_thread() is self._thread:
            self._halts.release()
            assert self._may_go_on.acquire(timeout=SECONDS)

    def step(self) -> None:
        """Go on to the next place, or the end, if there is more."""
        if self._result.done():
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        else:
            self._may_go_on.release()
        assert self._halts.acquire(timeout=SECONDS), "blocked by the other"

    def _run(self) -> None:
        try:
            self._result.set_result(self._work())
        except BaseException as error:
            self._result.set_exception(error)
        finally:
            connection.close()
            self._halts.release()

    def finish(self) -> Any:
        while not self._result.done():
            self.step()
        return self._result.result()


@contextmanager
def halting_at(owner: Any, name: str, *actors: Actor, after: bool = False) -> Iterator[None]:
    """Calls of the function halt before it, or after it, in the threads of those actors."""
    function = getattr(owner, name)

    def halting(*args: Any, **options: Any) -> Any:
        if not after:
            for actor in actors:
                actor.halt()
        result = function(*args, **options)
        if after:
            for actor in actors:
                actor.halt()
        return result

    with mock.patch.object(owner, name, halting):
        yield


def orders(first: str, second: str) -> list[str]:
    """Every order of these steps in which each actor's own come one after the other."""
    total = len(first) + len(second)
    found = []
    for places in combinations(range(total), len(first)):
        mine, others = iter(first), iter(second)
        found.append("".join(next(mine) if place in places else next(others) for place in range(total)))
    return found


@pytest.fixture
def ada() -> User:
    return people(1)[0]


@pytest.fixture(autouse=True)
def no_broker() -> Iterator[None]:
    with without_broker():
        yield


def run_about_to_wait(user: User, **wait: Any) -> Run:
    """A run whose next step begins the wait for the event; the one before is over."""
    a_trigger(WaitAction(seconds=0), AwaitAction(event_type=AWAITED, **wait), RecordEffectAction())
    run = fire("probe.ProbeEvent", users=user).runs.get()
    advance([run.pk])
    run.refresh_from_db()
    assert (run.status, run.position) == ("waiting", 1)
    return run


def fire_in_a_transaction(user: User, actor: Callable[[], Actor]) -> Any:
    with transaction.atomic():
        occurrence = fire(TaskCompletedEvent, users=user)
        actor().halt()
    return occurrence


@pytest.mark.parametrize("order", orders("WWW", "FFF"))
@pytest.mark.parametrize("is_declared", [True, False])
def test_in_no_order_of_recording_registering_committing_and_looking_is_the_event_missed(
    order: str, is_declared: bool, ada: User
) -> None:
    """Three steps each: up to the commit, up to the look, to the end."""
    run = run_about_to_wait(ada, is_declared=is_declared)
    firing = Actor(lambda: fire_in_a_transaction(ada, lambda: firing))
    waiting = Actor(lambda: advance([run.pk]))
    actors = {"F": firing, "W": waiting}

    with (
        halting_at(settling, "succeed", waiting, after=True),
        halting_at(waking, "look_for_events", waiting),
        halting_at(waking, "look_for_runs", firing),
    ):
        for name in order:
            actors[name].step()
        occurrence = firing.finish()
        remaining = waiting.finish()

    run.refresh_from_db()
    assert (run.woken_by_id, run.due_at, run.status) == (occurrence.pk, None, "waiting")
    assert [left.run_id for left in remaining] == [run.pk]
    assert advance([run.pk]) == []
    assert effects() == {"effect": 1}


@pytest.mark.parametrize("order", orders("TTT", "FFF"))
def test_either_the_event_or_the_timeout_ends_the_wait_and_the_step_says_which(order: str, ada: User) -> None:
    """The event: up to its commit, its look, the end. The timeout: up to the worker's look, its record, the end."""
    run = run_about_to_wait(ada)
    advance([run.pk])
    run.refresh_from_db()
    assert run.due_at is not None
    late = run.due_at
    firing = Actor(lambda: fire_in_a_transaction(ada, lambda: firing))
    timing_out = Actor(lambda: advance([run.pk], now=late))
    actors = {"F": firing, "T": timing_out}

    with (
        halting_at(outcomes, "end_wait", timing_out),
        halting_at(waking, "event_for", timing_out, after=True),
        halting_at(waking, "look_for_runs", firing),
    ):
        for name in order:
            actors[name].step()
        occurrence = firing.finish()
        timing_out.finish()

    assert advance([run.pk]) == []
    steps = list(run.steps.all())
    committed, looked = order.index("F", order.index("F") + 1), order.rindex("F")
    claimed, asked = order.index("T"), order.index("T", order.index("T") + 1)
    came = committed < asked or looked < claimed
    assert steps[1].woken_by_id == (occurrence.pk if came else None)
    assert steps[1].detail == f"{AWAITED} " + ("happened." if came else "did not happen in time.")
    assert effects() == {"effect": 1}


def test_an_event_that_two_look_for_at_once_wakes_once(ada: User) -> None:
    run = run_about_to_wait(ada)
    advance([run.pk])
    first, second = (fire_unseen(ada) for _ in range(2))
    told: list[Any] = []
    with mock.patch.object(engines.get("celery"), "wake", told.extend), ThreadPoolExecutor(8) as threads:
        looks = [lambda: waking.look_for_runs(first), lambda: waking.look_for_runs(second)] * 4
        list(threads.map(in_a_thread, looks))
    run.refresh_from_db()
    assert run.woken_by_id in (first, second)
    assert told == [run.pk]


def fire_unseen(user: User) -> Any:
    with mock.patch.object(waking, "look_for_runs"):
        return fire(TaskCompletedEvent, users=user).pk


def in_a_thread(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connection.close()


@pytest.mark.timeout(300)
def test_many_runs_that_begin_to_wait_while_their_events_happen_all_wake() -> None:
    """Without stops, as it comes: chunks of runs on some threads, an event for each user on others."""
    users = people(120)
    a_trigger(WaitAction(seconds=0), AwaitAction(event_type=AWAITED, is_declared=False), RecordEffectAction())
    fire("probe.ProbeEvent", users=users)
    run_ids = list(Run.objects.values_list("pk", flat=True))
    advance(run_ids)
    chunks = [run_ids[start : start + 10] for start in range(0, len(run_ids), 10)]
    works: list[Callable[[], Any]] = []
    for index, user in enumerate(users):
        if index % 10 == 0:
            works.append(partial(advance, chunks[index // 10]))
        works.append(partial(fire, TaskCompletedEvent, users=user))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(in_a_thread, works))

    assert not Run.objects.filter(woken_by=None).exists()
    advance(run_ids)
    assert effects() == {"effect": len(users)}


@pytest.mark.timeout(300)
def test_large_audiences_that_wake_the_same_runs_at_once_do_not_stop_each_other() -> None:
    users = people(60)
    a_trigger(WaitAction(seconds=0), AwaitAction(event_type=AWAITED), RecordEffectAction())
    fire("probe.ProbeEvent", users=users)
    run_ids = list(Run.objects.values_list("pk", flat=True))
    advance(run_ids)
    advance(run_ids)
    assert Run.objects.filter(awaited_type=AWAITED).count() == len(users)

    def some_order(seed: int) -> list[User]:
        return sorted(users, key=lambda user: hash((seed, user.pk)))

    with ThreadPoolExecutor(6) as threads:
        works = [lambda seed=seed: fire(TaskCompletedEvent, users=some_order(seed)) for seed in range(24)]
        list(threads.map(in_a_thread, works))

    assert not Run.objects.filter(woken_by=None).exists()
    assert Happening.objects.filter(looked_at=None).count() == 0
