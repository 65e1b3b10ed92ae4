from datetime import timedelta

from pytest_django import Settings

from tests.acceptance.scenario import (
    a_trigger,
    effects,
    explain,
    on_both_engines_on_postgresql,
    outcomes,
    people,
    wait_for_runs,
)
from tests.probe.models import SlowAction
from tests.servers.worker import StartWorker
from tests.waiting import wait_until
from triggers import fire
from triggers.models import Run


@on_both_engines_on_postgresql
def test_a_worker_that_is_asked_to_end_finishes_the_step_and_leaves_the_rest_to_others(
    start_worker: StartWorker, settings: Settings
) -> None:
    settings.TRIGGERS_LEASE = timedelta(minutes=1)  # time enough for all runs, were it not asked to end
    a_trigger(SlowAction(seconds=0.25))
    worker = start_worker(concurrency=1)
    fire("probe.ProbeEvent", users=people(20))
    wait_until(lambda: effects()["effect"] >= 2, message=explain)

    worker.stop()
    ended = outcomes()["succeeded"]
    assert 2 <= ended < 20
    assert effects() == {"effect begun": ended, "effect": ended}

    start_worker(concurrency=1)
    wait_for_runs(20)
    assert outcomes() == {"succeeded": 20}
    assert effects() == {"effect begun": 20, "effect": 20}
    assert set(Run.objects.values_list("losses", flat=True)) == {0}
