"""One event at many users, with a frequency limit, a queryset condition and an e-mail made of a template."""

from __future__ import annotations

from functools import partial

from benchmarks.rounds import Comparison, Sample, Scenario
from benchmarks.sizes import Sizes
from benchmarks.stage import Side, Stage

CONDITIONS = [["triggers.ActionFrequencyCondition", 86_400], ["shop.IsActive", None]]


def scenario(stage: Stage, sizes: Sizes) -> Scenario:
    for side in (stage.released, stage.current):
        side.player.call("people", number=sizes.audience)
        side.celery_worker()
    ours = partial(_sample, stage.current, sizes.audience)
    return Scenario(
        f"One event at {sizes.audience:,} users",
        {
            "dj-triggers 1.0.1": partial(_sample, stage.released, sizes.released_audience, "shop.SendEmail"),
            "this version": partial(ours, "shop.SendEmail"),
            "perform_many": partial(ours, "shop.SendEmails"),
        },
        [
            Comparison("runs per second", "per second", "this version", "dj-triggers 1.0.1", at_least=20),
            Comparison("runs per second", "per second", "perform_many", "dj-triggers 1.0.1", at_least=20),
            Comparison("ms to fire, by user", "ms to fire", "this version", "dj-triggers 1.0.1", at_most=1),
        ],
        {"users for dj-triggers 1.0.1": sizes.released_audience},
    )


def _sample(side: Side, number: int, action: str) -> Sample:
    side.player.call("forget_triggers")
    side.player.call("forget")
    side.player.call("trigger", name="thanks", event="shop.OrderPlaced", conditions=CONDITIONS, action=action)
    fired = side.player.call("fire_at_all", number=number)
    last = side.player.wait_for("performed", number)
    return {"per second": number / (last - fired["began"]), "ms to fire": 1000 * fired["seconds"][0] / number}
