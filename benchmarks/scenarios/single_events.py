"""Events for one user each, with a count limit and an e-mail made of a template."""

from __future__ import annotations

from statistics import median

from benchmarks.rounds import Comparison, Sample, Scenario
from benchmarks.sizes import Sizes
from benchmarks.stage import Side, Stage


def scenario(stage: Stage, sizes: Sizes) -> Scenario:
    for side in (stage.released, stage.current):
        side.player.call("people", number=sizes.audience)
        side.player.call("forget_triggers")
        limit = ["triggers.ActionCountCondition", 1]
        side.player.call(
            "trigger", name="thanks", event="shop.OrderPlaced", conditions=[limit], action="shop.SendEmail"
        )
        side.celery_worker()
    return Scenario(
        f"{sizes.events:,} events for one user each",
        {
            "dj-triggers 1.0.1": lambda: _sample(stage.released, sizes.events),
            "this version": lambda: _sample(stage.current, sizes.events),
        },
        [
            Comparison("runs per second", "per second", "this version", "dj-triggers 1.0.1", at_least=5),
            Comparison("ms to fire one", "ms to fire", "this version", "dj-triggers 1.0.1", at_most=1),
        ],
    )


def _sample(side: Side, number: int) -> Sample:
    side.player.call("forget")
    fired = side.player.call("fire_for_each", number=number)
    last = side.player.wait_for("performed", number)
    return {"per second": number / (last - fired["began"]), "ms to fire": 1000 * median(fired["seconds"])}
