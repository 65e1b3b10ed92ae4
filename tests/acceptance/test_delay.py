from datetime import timedelta

from tests.acceptance.scenario import a_trigger, effects, on_both_engines_on_postgresql, outcomes, people, wait_for_runs
from tests.probe.models import ProbeEvent, RecordEffectAction
from tests.servers.worker import StartWorker, Worker
from triggers import fire
from triggers.models import Run

pytestmark = on_both_engines_on_postgresql


def test_a_delayed_run_comes_due_without_beat(worker: Worker) -> None:
    [person] = people(1)
    a_trigger(RecordEffectAction(), event=ProbeEvent(delay=timedelta(seconds=2)))

    occurrence = fire("probe.ProbeEvent", users=person, delay=timedelta(seconds=1))

    assert outcomes() == {"pending": 1}
    wait_for_runs(1)
    assert effects() == {"effect": 1}
    run = Run.objects.get()
    assert run.started_at is not None
    assert run.started_at - occurrence.occurred_at >= timedelta(seconds=3)
    assert run.started_at - occurrence.occurred_at < timedelta(seconds=10)


def test_a_delay_outlasts_the_worker_that_was_told_of_it(start_worker: StartWorker) -> None:
    [person] = people(1)
    a_trigger(RecordEffectAction())
    first = start_worker()

    fire("probe.ProbeEvent", users=person, delay=timedelta(seconds=3))
    first.kill()
    start_worker()

    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}
    assert effects() == {"effect": 1}
