"""What is measured, by name, in the order of ``make bench``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from benchmarks.rounds import Scenario
from benchmarks.scenarios import (
    celery_runs,
    growing_conditions,
    growing_records,
    growing_triggers,
    growing_users,
    large_audience,
    requests,
    single_events,
    temporal_chunks,
    temporal_runs,
)
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage

Scenarios = Mapping[str, Callable[[Stage, Sizes], Scenario]]

COMPARED: Final[Scenarios] = {
    "single-events": single_events.scenario,
    "large-audience": large_audience.scenario,
    "requests": requests.scenario,
    "celery-runs": celery_runs.scenario,
    "temporal-runs": temporal_runs.scenario,
    "temporal-chunks": temporal_chunks.scenario,
}
#: What small sizes say nothing of.
GROWING: Final[Scenarios] = {
    "growing-users": growing_users.scenario,
    "growing-triggers": growing_triggers.scenario,
    "growing-conditions": growing_conditions.scenario,
    "growing-records": growing_records.scenario,
}
SCENARIOS: Final[Scenarios] = {**COMPARED, **GROWING}
