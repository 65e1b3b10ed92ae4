"""Runs one by one through Temporal against a bare workflow with one activity that does nothing."""

from __future__ import annotations

from functools import partial

from benchmarks.rounds import Comparison, Sample, Scenario
from benchmarks.sizes import Sizes
from benchmarks.stage import Player, Stage, says


def scenario(stage: Stage, sizes: Sizes) -> Scenario:
    stage.start_temporal()
    side = stage.current
    side.player.call("people", number=sizes.audience)
    side.player.call("forget_triggers")
    side.player.call(
        "trigger", name="nothing", engine="temporal", event="shop.OrderSent", conditions=[], action="shop.Nothing"
    )
    side.temporal_worker()
    stage.worker(side.command("bare_temporal.py", "work"), side.env, "bare", says("Working for the task queue"))
    bare = stage.play(side.command("play.py", "bare_temporal"), side.env, "bare")
    return Scenario(
        f"{sizes.workflows:,} runs through Temporal, one by one",
        {
            "bare workflows": partial(_bare, bare, sizes.workflows),
            "runs": partial(_runs, side.player, sizes.workflows),
        },
        [Comparison("per second", "per second", "runs", "bare workflows", at_least=0.8)],
    )


def _bare(player: Player, number: int) -> Sample:
    times = player.call("perform", number=number)
    return {"per second": number / (times["last"] - times["began"])}


def _runs(player: Player, number: int) -> Sample:
    player.call("forget")
    began = player.call("fire_for_each", number=number, event="shop.OrderSent")["began"]
    return {"per second": number / (player.wait_for("performed", number) - began)}
