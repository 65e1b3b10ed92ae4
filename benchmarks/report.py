"""One table of all results, and all samples as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.rounds import Line, Result

_COLUMNS = ("what", "median", "other’s median", "ratio", "lowest–highest", "aim")


def table(results: Sequence[Result]) -> str:
    """As Markdown, aligned for terminals."""
    rows = [_COLUMNS, *(row for result in results for row in _rows(result))]
    widths = [max(len(row[index]) for row in rows) for index in range(len(_COLUMNS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _rows(result: Result) -> list[tuple[str, ...]]:
    title = (f"**{result.scenario.title}**", "", "", "", "", "")
    return [title, *(_row(line) for line in result.lines)]


def _row(line: Line) -> tuple[str, ...]:
    aim = line.aim + ("" if line.is_met is None else ", met" if line.is_met else ", missed")
    spread = f"{min(line.ratios):.3g}–{max(line.ratios):.3g}"
    what = f"{line.comparison.what}: {line.comparison.of} / {line.comparison.to}"
    return (what, f"{median(line.figures):.4g}", f"{median(line.others):.4g}", f"{line.ratio:.3g}", spread, aim)


def write(results: Sequence[Result], path: Path, rounds: int) -> None:
    """All that was measured, and where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**_surroundings(rounds), "scenarios": [_told(each) for each in results]}, indent=1))


def _surroundings(rounds: int) -> dict[str, object]:
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": rounds,
        "processors": os.cpu_count(),
        "machine": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("dj-triggers", "django", "celery", "psycopg", "temporalio")},
    }


def _told(result: Result) -> dict[str, object]:
    comparisons = [
        {
            "what": line.comparison.what,
            "of": line.comparison.of,
            "to": line.comparison.to,
            "ratio": line.ratio,
            "ratios": line.ratios,
            "aim": line.aim,
            "met": line.is_met,
        }
        for line in result.lines
    ]
    return {
        "title": result.scenario.title,
        "comparisons": comparisons,
        "samples": result.samples,
        "notes": result.scenario.notes,
    }
