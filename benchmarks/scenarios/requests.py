"""``POST fire/`` against a bare view that authenticates the same way and does one INSERT."""

from __future__ import annotations

import json
from functools import partial
from uuid import uuid4

from benchmarks.load import post
from benchmarks.rounds import Comparison, Sample, Scenario
from benchmarks.sizes import Sizes
from benchmarks.stage import Side, Stage


def scenario(stage: Stage, sizes: Sizes) -> Scenario:
    side = stage.current
    side.player.call("people", number=sizes.audience)
    side.player.call("forget_triggers")
    limit = ["triggers.ActionCountCondition", 1]
    side.player.call("trigger", name="thanks", event="shop.OrderPlaced", conditions=[limit], action="shop.SendEmail")
    url, token = side.web(), side.player.call("token")
    sample = partial(_sample, side, sizes, token)
    return Scenario(
        f"{sizes.requests:,} requests by {sizes.connections} connections",
        {
            "a bare view": partial(sample, f"{url}/bare/", 201),
            "POST fire/": partial(sample, f"{url}/api/fire/", 202),
        },
        [
            Comparison("requests per second", "per second", "POST fire/", "a bare view", at_least=0.5),
            Comparison("ms, median", "ms", "POST fire/", "a bare view"),
            Comparison("ms, 99th percentile", "ms p99", "POST fire/", "a bare view", at_most=2),
        ],
    )


def _sample(side: Side, sizes: Sizes, token: str, url: str, status: int) -> Sample:
    side.player.call("forget")
    side.player.call("purge")

    def request(number: int) -> tuple[str, dict[str, str]]:
        body = {"type": "shop.OrderPlaced", "user": str(number % sizes.audience + 1), "context": {"order": number}}
        headers = {
            "Authorization": f"Token {token}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid4()),
        }
        return json.dumps(body), headers

    load = post(url, sizes.requests, sizes.connections, request, status)
    return {
        "per second": load.per_second,
        "ms": 1000 * load.percentile(0.5),
        "ms p99": 1000 * load.percentile(0.99),
    }
