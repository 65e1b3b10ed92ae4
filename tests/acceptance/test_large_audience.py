from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.acceptance.scenario import a_trigger, outcomes, people, wait_for_runs
from tests.probe.models import BulkEffectAction, Effect, UsernameCondition
from tests.servers.worker import StartWorker
from tests.waiting import wait_until
from triggers import fire
from triggers.models import Occurrence, Run

#: How large the audience is. Temporal's is as good as Celery's for what is shown, and takes less time.
SIZES = [("celery", 50_000), pytest.param("temporal", 5_000, marks=pytest.mark.postgresql)]


def wait_for_more_runs_than(number: int) -> None:
    wait_until(lambda: Run.objects.count() > number, timeout=240, message=outcomes)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("engine", "size"), SIZES, indirect=["engine"])
@pytest.mark.parametrize("whom", [{"users": User.objects.all()}, {"audience": "all"}], ids=["queryset", "named"])
def test_every_user_of_a_large_audience_is_served_once_though_the_worker_is_killed(
    whom: dict[str, Any], size: int, start_worker: StartWorker
) -> None:
    people(size)
    people(1_000, prefix="somebody else")
    a_trigger(BulkEffectAction(), conditions=[UsernameCondition(prefix="person")])
    worker = start_worker()

    fire("probe.ProbeEvent", **whom)
    for expanded in (size // 20, size // 2):
        wait_for_more_runs_than(expanded)
        worker.kill()
        assert Run.objects.count() < size  # in the middle of the expansion
        worker.start()

    wait_for_runs(size, timeout=480)
    assert Occurrence.objects.count() == 1
    assert outcomes() == {"succeeded": size}
    assert Effect.objects.count() == size
    assert Effect.objects.values("user_pk").distinct().count() == size
