"""Runs in chunks through Celery against bare Celery tasks; each does one UPDATE in a transaction."""

from __future__ import annotations

from functools import partial

from benchmarks.rounds import Comparison, Sample, Scenario
from benchmarks.sizes import Sizes
from benchmarks.stage import Player, Stage


def scenario(stage: Stage, sizes: Sizes) -> Scenario:
    player = stage.current.player
    player.call("people", number=sizes.audience)
    player.call("forget_triggers")
    player.call("trigger", name="touch", event="shop.OrderPlaced", conditions=[], action="shop.Touch")
    stage.current.celery_worker()
    return Scenario(
        f"{sizes.chunked:,} runs through Celery",
        {
            "bare tasks": partial(sample, player, sizes.chunked, "publish_touches"),
            "runs in chunks": partial(sample, player, sizes.chunked, "fire_at_all"),
        },
        [Comparison("per second", "per second", "runs in chunks", "bare tasks", at_least=1)],
    )


def sample(player: Player, number: int, begin: str, **arguments: str) -> Sample:
    """So many rows touched, from the first call on."""
    player.call("forget")
    player.call("untouch")
    began = player.call(begin, number=number, **arguments)["began"]
    return {"per second": number / (player.wait_for("touched", number) - began)}
