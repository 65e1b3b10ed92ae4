"""The same event at few and at many users: what each costs, and what memory the processes hold after it."""

from __future__ import annotations

from functools import partial

from benchmarks.rounds import Comparison, Sample, Scenario
from benchmarks.scenarios.large_audience import CONDITIONS
from benchmarks.sizes import Sizes
from benchmarks.stage import Side, Stage, memory


def scenario(stage: Stage, sizes: Sizes) -> Scenario:
    few, many = sizes.growing_users
    player = stage.current.player
    player.call("people", number=many)
    player.call("forget_triggers")
    player.call("trigger", name="nothing", event="shop.OrderPlaced", conditions=CONDITIONS, action="shop.Nothing")
    of, to = f"{many:,} users", f"{few:,} users"
    return Scenario(
        "Growth: users of an event",
        {to: partial(_sample, stage, stage.current, few), of: partial(_sample, stage, stage.current, many)},
        [
            Comparison("ms for each", "ms", of, to, at_most=1.2),
            Comparison("MB of the worker", "worker MB", of, to, at_most=1.2),
            Comparison("MB of the process that fires", "firing MB", of, to, at_most=1.2),
        ],
        warms_up=False,
    )


def _sample(stage: Stage, side: Side, number: int) -> Sample:
    """By processes of its own, since memory is seldom given back."""
    side.player.call("forget")
    with stage.scenario():
        worker, player = side.celery_worker(), side.another_player()
        player.call("fire_at_all", number=PROVED)
        player.wait_for("performed", PROVED)
        began = player.call("fire_at_all", number=number, again=True)["began"]
        seconds = player.wait_for("performed", number + PROVED) - began
        return {"ms": 1000 * seconds / number, "worker MB": memory(worker.pid), "firing MB": memory(player.pid)}


#: How many users show, before the clock runs, that everything is loaded.
PROVED = 100
