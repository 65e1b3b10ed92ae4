"""What schemathesis says of a run: how many requests there were of each operation, and how they were answered."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: By operation, how many answers there were of each status; 0 stands for none.
Answers = dict[str, Counter[int]]


def read(path: Path) -> Answers:
    answers: Answers = defaultdict(Counter)
    with path.open() as lines:
        for line in lines:
            finished = json.loads(line).get("ScenarioFinished")
            if finished is not None:
                _count(finished["recorder"], answers)
    return answers


def _count(recorder: Any, answers: Answers) -> None:
    for id, interaction in recorder.get("interactions", {}).items():
        case = recorder["cases"][id]["value"]
        response = interaction.get("response") or {"status_code": 0}
        answers[f"{case['method']} {case['path']}"][response["status_code"]] += 1


def accepted(statuses: Counter[int]) -> int:
    return sum(times for status, times in statuses.items() if 200 <= status < 300)


def failed(statuses: Counter[int]) -> int:
    return sum(times for status, times in statuses.items() if status == 0 or status >= 500)


def table(answers: Answers, operations: Iterable[str]) -> str:
    """A line for each of the operations; what was asked of no operation is counted too."""
    lines = [f"{operation:36} {dict(sorted(answers[operation].items()))}" for operation in sorted(operations)]
    return "\n".join([*lines, f"{sum(statuses.total() for statuses in answers.values())} requests"])
