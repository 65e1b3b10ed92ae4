"""
The shapes that workflows can have. Each function has a worker perform runs and returns the id of a workflow that
had its shape; nothing else goes on meanwhile.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from django.contrib.auth.models import User
from temporalio.client import Client, WorkflowHistory

from tests.acceptance.scenario import a_trigger, explain, people
from tests.app.models import ClockEvent
from tests.probe.models import AwaitAction, Effect, FlakyAction, GateAction, ProbeEvent, RecordEffectAction, SlowAction
from tests.replay.histories import outline
from tests.waiting import wait_until
from triggers import engines, fire, running
from triggers.engines.temporal.client import connection
from triggers.engines.temporal.workflows import ADVANCE_CHUNK, EXPAND, workflow_id
from triggers.models import Action, Run, Trigger

DAY = 24 * 60 * 60

T = TypeVar("T")
Shape = Callable[[Path], str]
SHAPES: list[Shape] = []


def shape(function: Shape) -> Shape:
    SHAPES.append(function)
    return function


@shape
def plain(folder: Path) -> str:
    return ended(started(RecordEffectAction()))


@shape
def delayed(folder: Path) -> str:
    return ended(started(RecordEffectAction(), event=ProbeEvent(delay=timedelta(seconds=1))))


@shape
def retrying(folder: Path) -> str:
    return ended(started(FlakyAction(folder=str(folder), fail_times=1)))


@shape
def waiting(folder: Path) -> str:
    return ended(started(awaiting(seconds=1), RecordEffectAction()))


@shape
def woken(folder: Path) -> str:
    run = resting(started(awaiting(), RecordEffectAction()))
    fire(ClockEvent, users=run.user_id)
    return ended(run)


@shape
def woken_under_way(folder: Path) -> str:
    run = started(GateAction(path=str(folder / "woken")), awaiting())
    wait_until(lambda: is_at_the_gate(run))
    engines.get("temporal").wake([run.pk])
    (folder / "woken").touch()
    return id_of(resting(run))


@shape
def cancelled(folder: Path) -> str:
    run = resting(started(awaiting(), RecordEffectAction()))
    running.cancel([run.pk])
    return ended(run)


@shape
def cancelled_under_way(folder: Path) -> str:
    run = started(GateAction(path=str(folder / "cancelled")), RecordEffectAction())
    wait_until(lambda: is_at_the_gate(run))
    running.cancel([run.pk])
    (folder / "cancelled").touch()
    return ended(run)


@shape
def cancelled_by_hand(folder: Path) -> str:
    run = resting(started(awaiting(), RecordEffectAction()))
    tell(lambda client: client.get_workflow_handle(id_of(run)).cancel())
    wait_until(lambda: is_over(id_of(run)))
    return id_of(run)


@shape
def continued(folder: Path) -> str:
    run = resting(started(awaiting(), RecordEffectAction()))
    while len(executions(id_of(run))) == 1:
        # Too early: the run goes on waiting.
        known = len(latest(run).events)
        engines.get("temporal").wake([run.pk])
        wait_until(lambda: len(latest(run).events) != known)  # noqa: B023
        resting(run)
    fire(ClockEvent, users=run.user_id)
    return ended(run)


@shape
def chunk(folder: Path) -> str:
    users = people(3, prefix="chunk")
    return new_chunk(ADVANCE_CHUNK, lambda: fire(an_event(RecordEffectAction()), users=users))


@shape
def chunk_delayed(folder: Path) -> str:
    users = people(3, prefix="delayed")
    event = an_event(RecordEffectAction(), event=ProbeEvent(delay=timedelta(seconds=1)))
    return new_chunk(ADVANCE_CHUNK, lambda: fire(event, users=users))


@shape
def chunk_continued(folder: Path) -> str:
    users = people(5, prefix="continued")
    # Each takes longer than half a lease, after which the next is another activity's.
    return new_chunk(ADVANCE_CHUNK, lambda: fire(an_event(SlowAction(seconds=1.1)), users=users))


@shape
def expansion(folder: Path) -> str:
    return new_chunk(EXPAND, lambda: fire(an_event(RecordEffectAction()), audience="all"))


def an_event(*actions: Action, event: ProbeEvent | None = None) -> Any:
    return a_trigger(*actions, name=f"trigger {Trigger.objects.count()}", event=event).events.get()


def started(*actions: Action, event: ProbeEvent | None = None) -> Run:
    user = User.objects.create(username=f"person {User.objects.count()}")
    return fire(an_event(*actions, event=event), users=user).runs.get()


def awaiting(seconds: float = DAY) -> AwaitAction:
    return AwaitAction(event_type="app.ClockEvent", seconds=seconds)


def id_of(run: Run) -> str:
    return workflow_id(run.pk, run.generation)


def resting(run: Run) -> Run:
    """The run waits, and its workflow for nothing but the time."""
    wait_until(lambda: latest(run).events[-1].HasField("timer_started_event_attributes"), message=explain)
    return run


def ended(run: Run) -> str:
    wait_until(lambda: is_over(id_of(run)), message=explain)
    return id_of(run)


def is_over(id: str) -> bool:
    return outline(executions(id)[-1])[-1] in ("WORKFLOW_EXECUTION_COMPLETED", "WORKFLOW_EXECUTION_CANCELED")


def is_at_the_gate(run: Run) -> bool:
    return Effect.objects.filter(user_pk=run.user_id, label="at the gate").exists()


def new_chunk(activity: str, begin: Callable[[], object]) -> str:
    """The id of the one workflow with this activity that came of it, once it is over."""

    async def ask(client: Client) -> set[str]:
        return {one.id async for one in client.list_workflows() if one.id.startswith(f"{activity}:")}

    known = tell(ask)
    begin()
    (id,) = wait_until(lambda: tell(ask) - known)
    wait_until(lambda: is_over(id))
    return id


def latest(run: Run) -> WorkflowHistory:
    return executions(id_of(run))[-1]


def executions(id: str) -> list[WorkflowHistory]:
    """The histories of the workflow's executions, one for each time that it was continued as a new one."""

    async def ask(client: Client) -> list[WorkflowHistory]:
        found: list[WorkflowHistory] = []
        run_id: str | None = None
        while run_id != "":
            history = await client.get_workflow_handle(id, run_id=run_id).fetch_history()
            found.insert(0, history)
            run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        return found

    return tell(ask)


def tell(ask: Callable[[Client], Awaitable[T]]) -> T:
    return connection().call(ask, 10)
