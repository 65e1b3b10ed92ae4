from pathlib import Path

from tests.acceptance.scenario import a_trigger, effects, on_both_engines_on_postgresql, outcomes, people, wait_for_runs
from tests.probe.models import FlakyAction, RecordEffectAction
from tests.servers.worker import Worker
from triggers import fire
from triggers.models import Run


@on_both_engines_on_postgresql
def test_steps_that_succeeded_are_not_done_again_when_a_later_one_is_retried(worker: Worker, tmp_path: Path) -> None:
    [person] = people(1)
    a_trigger(
        RecordEffectAction(label="first"),
        FlakyAction(label="second", fail_times=2, folder=str(tmp_path)),
        RecordEffectAction(label="third"),
    )

    fire("probe.ProbeEvent", users=person)

    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}
    assert effects() == {"first": 1, "second": 1, "third": 1}
    steps = Run.objects.get().steps.order_by("position").values_list("status", "attempts")
    assert list(steps) == [("succeeded", 1), ("succeeded", 3), ("succeeded", 1)]
