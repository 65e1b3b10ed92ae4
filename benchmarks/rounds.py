"""Scenarios, their contenders played in turns, and what comes of the rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

#: What one contender did in one round: figures by name.
Sample = Mapping[str, float]
Contender = Callable[[], Sample]


@dataclass(frozen=True)
class Comparison:
    """A line of the table: one figure of one contender, divided by that of another in the same round."""

    what: str
    figure: str
    of: str
    to: str
    #: The ratio that is aimed at: at least, or at most where less is better.
    at_least: float | None = None
    at_most: float | None = None
    #: The other contender's figure, where it has another name.
    to_figure: str | None = None


@dataclass(frozen=True)
class Scenario:
    """What is measured. Contenders are played in turns, each once in a round."""

    title: str
    contenders: Mapping[str, Contender]
    comparisons: Sequence[Comparison]
    #: What is worth knowing beside the figures.
    notes: dict[str, Any] = field(default_factory=dict)
    #: Whether a first round does not count. Not needed where each sample warms up what it starts.
    warms_up: bool = True


@dataclass(frozen=True)
class Line:
    """What the rounds say of one comparison."""

    comparison: Comparison
    figures: list[float]
    others: list[float]

    @property
    def ratios(self) -> list[float]:
        return [figure / other for figure, other in zip(self.figures, self.others, strict=True)]

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @property
    def aim(self) -> str:
        if self.comparison.at_least is not None:
            return f"≥ {self.comparison.at_least:.3g}"
        return "" if self.comparison.at_most is None else f"≤ {self.comparison.at_most:g}"

    @property
    def is_met(self) -> bool | None:
        """Whether the median is as aimed at; None where nothing is."""
        if self.comparison.at_least is not None:
            return self.ratio >= self.comparison.at_least
        return None if self.comparison.at_most is None else self.ratio <= self.comparison.at_most


@dataclass
class Result:
    scenario: Scenario
    samples: dict[str, list[Sample]]

    @property
    def lines(self) -> list[Line]:
        return [
            Line(
                comparison,
                [sample[comparison.figure] for sample in self.samples[comparison.of]],
                [sample[comparison.to_figure or comparison.figure] for sample in self.samples[comparison.to]],
            )
            for comparison in self.scenario.comparisons
        ]


def play(scenario: Scenario, rounds: int, say: Callable[[str], None]) -> Result:
    """
    All samples; a first round does not count: connections are made in it, and what is loaded late.

    Every other round begins with the last contender, so that none always comes after the same.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in scenario.contenders}
    for number in range(0 if scenario.warms_up else 1, rounds + 1):
        turns = list(scenario.contenders.items())
        for name, contender in reversed(turns) if number % 2 else turns:
            sample = contender()
            if number:
                samples[name].append(sample)
            figures = ", ".join(f"{figure} {value:.4g}" for figure, value in sample.items())
            say(f"{scenario.title}, round {number} of {rounds}: {name}: {figures}")
    return Result(scenario, samples)
