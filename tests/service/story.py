"""Pages that tell a story of commands and answers are tried as they stand, command by command, answer by answer."""

import json
import re
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from tests.docs.blocks import ROOT, Block
from tests.service.running import Triggers
from tests.waiting import wait_until

ELSE = "…"


def section(page: str, heading: str) -> list[Block]:
    """The blocks under the heading."""
    text = (ROOT / page).read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def prepared(triggers: Triggers, set_up: Block) -> str:
    """What every shell begins with, for the server that runs; the key is made once."""
    text = set_up.text.replace("127.0.0.1:8000", f"127.0.0.1:{triggers.port}")
    key = shell(triggers, f'{text}printf "%s" "$KEY"').splitlines()[-1]
    return re.sub(r"(?s)KEY=\$\(.*?\)\n", f"KEY={key}\n", text)


def follow(triggers: Triggers, preamble: str, steps: Sequence[Block]) -> int:
    """Every block of commands says what the block behind it shows. Returns how many were followed."""
    told = 0
    for step, following in pairwise([*steps, Block("", "")]):
        if step.language != "console":
            continue
        *before, last = re.split(r"\n(?=call |triggers )", step.text.removesuffix("\n"))
        for command in before:
            shell(triggers, f"{preamble}{command}")
        command = f"{preamble}{last}"
        if following.language == "json":
            _answers(triggers, command, json.loads(following.text), waits=not re.search(" -[dX] ", last))
        elif following.language == "text":
            pattern = ".*".join(re.escape(part) for part in following.text.split(ELSE))
            said = shell(triggers, command)
            assert re.fullmatch(pattern, said), said
        else:
            shell(triggers, command)
        told += 1
    return told


def _answers(triggers: Triggers, command: str, expected: Any, *, waits: bool) -> None:
    def actual() -> Any:
        return _as_told(json.loads(shell(triggers, command)), expected)

    if waits:  # what a worker does takes its time
        wait_until(lambda: actual() == expected, message=lambda: shell(triggers, command))
    else:
        assert actual() == expected


def shell(triggers: Triggers, script: str) -> str:
    done = subprocess.run(
        ["/bin/sh", "-euc", script],
        cwd=triggers.folder,
        env=triggers.env,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def _as_told(actual: Any, expected: Any) -> Any:
    """The actual value with … wherever the expected one has it; members are left out where it stands for others."""
    if expected == ELSE:
        return ELSE
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = [name for name in actual if name in expected] if ELSE in expected else list(actual)
        told = {name: _as_told(actual[name], expected.get(name)) for name in names}
        return told | ({ELSE: ELSE} if ELSE in expected and len(actual) > len(told) else {})
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [_as_told(*pair) for pair in zip(actual, expected, strict=True)]
    return actual
