"""Few and many runs in the database: what firing, a chunk, a sweep and lists take, and by which indexes."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.rounds import Comparison, Scenario
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage

FIGURES = (
    "ms to fire",
    "ms to advance a chunk",
    "ms to sweep",
    "ms to list occurrences",
    "ms to list runs",
    "ms to list a user's runs",
    "ms to list a trigger's failed runs",
)


def scenario(stage: Stage, sizes: Sizes) -> Scenario:
    few, many = sizes.growing_records
    sides = {f"{number:,} runs": (stage.another(f"records{number}"), number) for number in (few, many)}
    notes: dict[str, Any] = {}
    for name, (side, number) in sides.items():
        side.player.call("people", number=1_000)
        limit = ["triggers.ActionCountCondition", 1_000_000]
        side.player.call("trigger", name="nothing", event="shop.OrderPlaced", conditions=[limit], action="shop.Nothing")
        stage.say(f"{name} are written")
        side.player.call("fill", number=number)
        notes[f"plans with {name}"] = side.player.call("plans")
    to, of = sides
    return Scenario(
        "Growth: runs in the database",
        {name: partial(side.player.call, "stored") for name, (side, _) in sides.items()},
        [Comparison(figure, figure, of, to, at_most=1.2) for figure in FIGURES],
        notes,
    )
