"""How much is done in each round."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    rounds: int = 5
    #: Events for one user each.
    events: int = 1_000
    #: Users of one event, and of one for dj-triggers 1.0.1, whose time for each does not depend on how many they are.
    audience: int = 10_000
    released_audience: int = 1_000
    #: Requests, and how many of them at a time.
    requests: int = 1_000
    connections: int = 4
    #: Runs that go through a worker in chunks, and one by one through Temporal.
    chunked: int = 3_000
    workflows: int = 300
    #: How much of what is counted twice: little and much.
    growing_users: tuple[int, int] = (1_000, 100_000)
    growing_triggers: tuple[int, int] = (1, 300)
    growing_conditions: tuple[int, int] = (1, 16)
    growing_records: tuple[int, int] = (10_000, 3_000_000)


QUICK = Sizes(
    rounds=3,
    events=40,
    audience=500,
    released_audience=60,
    requests=100,
    chunked=300,
    workflows=20,
    growing_users=(100, 1_000),
    growing_triggers=(1, 20),
    growing_records=(1_000, 50_000),
)
