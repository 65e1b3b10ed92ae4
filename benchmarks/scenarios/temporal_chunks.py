"""The same runs in chunks through Temporal and through Celery."""

from __future__ import annotations

from functools import partial

from benchmarks.rounds import Comparison, Scenario
from benchmarks.scenarios.celery_runs import sample
from benchmarks.sizes import Sizes
from benchmarks.stage import PROCESSES, Stage


def scenario(stage: Stage, sizes: Sizes) -> Scenario:
    stage.start_temporal()
    player = stage.current.player
    player.call("people", number=sizes.audience)
    player.call("forget_triggers")
    for engine, event in (("celery", "shop.OrderPlaced"), ("temporal", "shop.OrderSent")):
        player.call("trigger", name=engine, engine=engine, event=event, conditions=[], action="shop.Touch")
    stage.current.celery_worker()
    for _ in range(PROCESSES):  # as many as Celery's worker has
        stage.current.temporal_worker()
    return Scenario(
        f"{sizes.chunked:,} runs in chunks",
        {
            "Celery": partial(sample, player, sizes.chunked, "fire_at_all", event="shop.OrderPlaced"),
            "Temporal": partial(sample, player, sizes.chunked, "fire_at_all", event="shop.OrderSent"),
        },
        [Comparison("per second", "per second", "Temporal", "Celery", at_least=1 / 1.5)],
    )
