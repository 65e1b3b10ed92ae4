"""The story that docs/api.md tells is tried as it stands there, command by command, answer by answer."""

import json
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import ROOT, Block
from tests.service.running import TRIGGERS, Triggers
from tests.waiting import wait_until

SECTION = (ROOT / "docs/api.md").read_text().partition("## A story\n")[2].partition("\n## ")[0]
BLOCKS = [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)]
SERVE, SET_UP, *STEPS = BLOCKS
ELSE = "…"


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with the command triggers, and with a curl if the machine has none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "triggers").symlink_to(TRIGGERS)
    if shutil.which("curl") is None:
        curl = folder / "curl"
        curl.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("curl.py")} "$@"\n')
        curl.chmod(0o755)
    return folder


def test_the_story_goes_as_it_is_told(triggers: Triggers, commands: Path) -> None:
    assert SERVE.text == "triggers serve --demo\n"
    triggers.serve()
    triggers.env["PATH"] = f"{commands}:{triggers.env['PATH']}"
    set_up = SET_UP.text.replace("127.0.0.1:8000", f"127.0.0.1:{triggers.port}")
    # The key is made once, the other lines are said anew in every shell.
    key = _shell(triggers, f'{set_up}printf "%s" "$KEY"')
    preamble = re.sub(r"(?s)KEY=\$\(.*?\)\n", f"KEY={key}\n", set_up)
    told = 0
    for step, following in pairwise([*STEPS, Block("", "")]):
        if step.language != "console":
            continue
        *before, last = step.text.removesuffix("\n").split("\ncall ")
        for command in before:
            _shell(triggers, f"{preamble}{command}")
        command = f"{preamble}{'call ' if before else ''}{last}"
        expected = json.loads(following.text)
        if " -d " in last or " -X " in last:
            actual = json.loads(_shell(triggers, command))
            assert _as_told(actual, expected) == expected
        else:  # what a worker does takes its time
            wait_until(
                lambda command=command, expected=expected: (  # type: ignore[misc]
                    _as_told(json.loads(_shell(triggers, command)), expected) == expected
                ),
                message=lambda command=command: _shell(triggers, command),  # type: ignore[misc]
            )
        told += 1
    assert told == 7
    assert "Thank you for order 1002!" in "".join(triggers.mails)


def _shell(triggers: Triggers, script: str) -> str:
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
