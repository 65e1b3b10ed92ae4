"""One event of which few and many triggers are configured: what each run costs."""

from __future__ import annotations

from functools import partial
from statistics import median

from benchmarks.rounds import Comparison, Sample, Scenario
from benchmarks.sizes import Sizes
from benchmarks.stage import Side, Stage

#: How many events are fired by one round.
EVENTS = 4


def scenario(stage: Stage, sizes: Sizes) -> Scenario:
    few, many = sizes.growing_triggers
    sides = {f"{number:,} of a type": (stage.another(f"triggers{number}"), number) for number in (few, many)}
    for side, number in sides.values():
        side.player.call("people", number=EVENTS)
        for index in range(number):
            limit = ["triggers.ActionCountCondition", 1]
            side.player.call(
                "trigger", name=str(index), event="shop.OrderPlaced", conditions=[limit], action="shop.Nothing"
            )
        side.celery_worker()
    to, of = sides
    return Scenario(
        "Growth: triggers of one event type",
        {name: partial(_sample, *side) for name, side in sides.items()},
        [
            Comparison("ms to fire, by run", "ms to fire", of, to, at_most=1.2),
            Comparison("ms until performed, by run", "ms", of, to, at_most=1.2),
        ],
    )


def _sample(side: Side, triggers: int) -> Sample:
    side.player.call("forget")
    fired = side.player.call("fire_for_each", number=EVENTS)
    seconds = side.player.wait_for("performed", EVENTS * triggers) - fired["began"]
    return {"ms to fire": 1000 * median(fired["seconds"]) / triggers, "ms": 1000 * seconds / EVENTS / triggers}
