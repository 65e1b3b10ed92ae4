"""What docs/clients.md shows is taken from the stories that the clients' tests tell."""

import json

import pytest

from tests.clients import test_python
from tests.docs.blocks import ROOT, Block, blocks

PAGE = "docs/clients.md"
CLIENTS = ROOT / "tests" / "clients"
COMMANDS = [line for block in blocks(PAGE, "console") for line in block.text.splitlines()]
PACKAGE = json.loads((CLIENTS / "typescript" / "package.json").read_text())


@pytest.mark.parametrize("block", blocks(PAGE, "python"))
def test_excerpts_in_python_stand_in_the_story(block: Block) -> None:
    assert block.text in test_python.STORY.read_text()


@pytest.mark.parametrize("block", blocks(PAGE, "typescript"))
def test_excerpts_in_typescript_stand_in_the_story(block: Block) -> None:
    assert block.text in (CLIENTS / "typescript" / "story.ts").read_text()


def test_the_generators_are_set_and_called_as_in_the_tests() -> None:
    (settings,) = blocks(PAGE, "yaml")
    assert settings.text == test_python.SETTINGS.read_text()
    assert test_python.GENERATE in COMMANDS
    assert f"npx {PACKAGE['scripts']['generate']}" in COMMANDS


def test_the_versions_are_those_of_the_tests() -> None:
    versions = PACKAGE["dependencies"] | PACKAGE["devDependencies"]
    assert f"npm install openapi-fetch@{versions['openapi-fetch']}" in COMMANDS
    names = ("openapi-typescript", "typescript")
    assert f"npm install --save-dev {' '.join(f'{name}@{versions[name]}' for name in names)}" in COMMANDS
