"""A run that an event's name has started waits for another name, on real workers."""

from datetime import timedelta

import pytest

from tests.acceptance.scenario import a_trigger, effects, on_both_engines_on_postgresql, outcomes, people, wait_for_runs
from tests.probe.models import RecordEffectAction
from tests.servers.engines import EngineAtWork
from tests.servers.worker import StartWorker
from tests.waiting import wait_until
from triggers import fire
from triggers.contrib.events.models import EventType, NamedEvent
from triggers.contrib.journeys.models import WaitForEvent
from triggers.models import Run

pytestmark = [pytest.mark.django_db(transaction=True), on_both_engines_on_postgresql]


def test_a_run_is_started_by_a_name_and_woken_by_another(engine: EngineAtWork, start_worker: StartWorker) -> None:
    for name in ("order.placed", "order.paid"):
        EventType.objects.create(name=name, context_schema={"required": ["order"]})
    a_trigger(
        WaitForEvent(event_type="order.paid", within=timedelta(days=3), matching_keys="order"),
        RecordEffectAction(label="thanked"),
        event=NamedEvent(event_type_id="order.placed", expression="context.order > 1"),
    )
    (ada,) = people(1)
    start_worker()

    fire("order.placed", users=ada, context={"order": 1})  # which does not count
    fire("order.placed", users=ada, context={"order": 7})
    wait_until(lambda: outcomes() == {"waiting": 1}, message=outcomes)
    assert Run.objects.get().engine == engine.name
    fire("order.paid", users=ada, context={"order": 8})
    fire("order.paid", users=ada, context={"order": 7})

    wait_for_runs(1)
    assert outcomes() == {"succeeded": 1}
    assert effects() == {"thanked": 1}
    woken_by = Run.objects.get().steps.earliest("position").woken_by
    assert (woken_by.type, woken_by.context) == ("order.paid", {"order": 7})
