"""The code blocks of a Markdown file."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that the first line names, as in ``# tests/app/models.py``."""
        first = self.text.partition("\n")[0]
        return first.removeprefix("# ") if first.startswith("# ") and first.endswith(".py") else None

    @property
    def body(self) -> str:
        """The text without the line that names the file."""
        return self.text.partition("\n")[2] if self.file else self.text


def blocks(document: str, language: str) -> list[Block]:
    text = (ROOT / document).read_text()
    return [Block(name, block) for name, block in _BLOCK.findall(text) if name == language]
