"""The Dockerfile and the compose files, read as far as tests need it. No container runs here."""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.docs.blocks import ROOT

_VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")


@dataclass(frozen=True)
class Instruction:
    """One instruction of the Dockerfile, in its stage, counted from 0."""

    stage: int
    name: str
    text: str


def dockerfile() -> list[Instruction]:
    lines = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()
    found, stage = [], -1
    for line in lines:
        if not line or line.startswith("#"):
            continue
        name, _space, text = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, text))
    return found


def environment_of(stage: int) -> dict[str, str]:
    """What ENV sets in the stage."""
    words = [
        word for each in dockerfile() if each.stage == stage and each.name == "ENV" for word in shlex.split(each.text)
    ]
    return dict(word.split("=", 1) for word in words)


def compose(*names: str, env: Mapping[str, str]) -> Any:
    """The services of the files, later ones over earlier ones, variables in place, as compose has them."""
    services: dict[str, Any] = {}
    for name in names:
        for service, values in yaml.safe_load(_interpolated((ROOT / name).read_text(), env))["services"].items():
            there = services.setdefault(service, {})
            for key, value in values.items():
                there[key] = there[key] | value if isinstance(there.get(key), dict) else value
    return services


def example() -> dict[str, str]:
    """What .env.example sets, the passwords filled in."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value or os.urandom(32).hex() for name, value in pairs.items()}


def _interpolated(text: str, env: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, operator, default = match.groups()
        if env.get(name):
            return env[name]
        assert operator == ":-", f"{name} is not set: {default}"
        return str(default)

    return _VARIABLE.sub(value, text)
