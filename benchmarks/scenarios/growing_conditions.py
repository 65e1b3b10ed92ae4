"""A trigger with few and with many conditions: what each user costs."""

from __future__ import annotations

from functools import partial

from benchmarks.rounds import Comparison, Sample, Scenario
from benchmarks.sizes import Sizes
from benchmarks.stage import Player, Stage


def scenario(stage: Stage, sizes: Sizes) -> Scenario:
    player = stage.current.player
    player.call("people", number=sizes.audience)
    stage.current.celery_worker()
    few, many = sizes.growing_conditions
    of, to = f"{many} conditions", f"{few} condition"
    return Scenario(
        "Growth: conditions of a trigger",
        {to: partial(_sample, player, few, sizes.audience), of: partial(_sample, player, many, sizes.audience)},
        [Comparison("ms for each user", "ms", of, to, at_most=1.2)],
    )


def _sample(player: Player, conditions: int, users: int) -> Sample:
    player.call("forget_triggers")
    player.call("forget")
    limits = [["triggers.ActionCountCondition", 1 + number] for number in range(conditions)]
    player.call("trigger", name="nothing", event="shop.OrderPlaced", conditions=limits, action="shop.Nothing")
    began = player.call("fire_at_all", number=users)["began"]
    return {"ms": 1000 * (player.wait_for("performed", users) - began) / users}
