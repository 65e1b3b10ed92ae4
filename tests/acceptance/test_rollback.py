from contextlib import suppress

from django.db import transaction

from tests.acceptance.scenario import a_trigger, effects, on_both_engines_on_postgresql, outcomes, people, wait_for_runs
from tests.probe.models import RecordEffectAction
from tests.servers.worker import Worker
from triggers import fire
from triggers.models import Occurrence, Run

pytestmark = on_both_engines_on_postgresql


class ChangedMyMind(Exception):
    pass


def test_a_firing_whose_transaction_is_rolled_back_starts_nothing(worker: Worker) -> None:
    undone, done = people(2)
    a_trigger(RecordEffectAction())

    with suppress(ChangedMyMind), transaction.atomic():
        fire("probe.ProbeEvent", users=undone)
        assert Run.objects.count() == 1
        raise ChangedMyMind
    # The second shows that the worker was there to perform the first.
    fire("probe.ProbeEvent", users=done)

    wait_for_runs(1)
    assert Occurrence.objects.count() == 1
    assert outcomes(user=done) == {"succeeded": 1}
    assert effects() == {"effect": 1}


def test_a_firing_in_a_savepoint_that_is_rolled_back_starts_nothing(worker: Worker) -> None:
    undone, done = people(2)
    a_trigger(RecordEffectAction())

    with transaction.atomic():
        with suppress(ChangedMyMind), transaction.atomic():
            fire("probe.ProbeEvent", users=undone)
            raise ChangedMyMind
        fire("probe.ProbeEvent", users=done)

    wait_for_runs(1)
    assert outcomes(user=done) == {"succeeded": 1}
    assert effects() == {"effect": 1}
