"""What a configuration changed, or would change, for people; and what is wrong with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rest_framework.exceptions import APIException

from triggers_api.configuration.applying import Change, Outcome
from triggers_api.configuration.files import Places, as_yaml
from triggers_api.errors import entries

_SIGNS: Final[Mapping[str, str]] = {"add": "+", "change": "~", "delete": "-"}
_INDENT: Final = "    "


def lines(outcome: Outcome) -> Iterator[str]:
    """Each change with what differs, what was left alone, and how much of it there is."""
    for change in outcome.changes:
        yield f"{_SIGNS[change.action]} {change.section}: {change.name}"
        yield from (_INDENT + line for line in _difference(change))
    for left in outcome.left:
        yield f"  {left.section}: {left.name} is not in the file and stays as it is; --prune deletes it."
    done = "" if outcome.applied else " would be"
    counts = [(_COUNTED[action], sum(change.action == action for change in outcome.changes)) for action in _SIGNS]
    said = ", ".join(f"{count}{done} {word}" for word, count in counts if count)
    yield f"{said}." if said else "Nothing differs: nothing to change."


_COUNTED: Final = {"add": "added", "change": "changed", "delete": "deleted"}


def refusal(error: APIException, document: Any, places: Places, file: str) -> Iterator[str]:
    """A line for everything that is wrong: where in the file, of what, and why."""
    found = list(entries(error))
    if not found:
        yield f"{file}: {error.detail}"
    for entry in found:
        place = places.of(entry["pointer"])
        where = f"{file}:{place.line}:{place.column}" if place else file
        name = _name(document, entry["pointer"])
        yield f"{where}: {name}{entry['pointer']}: {entry['detail']} ({entry['code']})"


def _difference(change: Change) -> Iterator[str]:
    before, after = (as_yaml(told).splitlines() if told else [] for told in (change.before, change.after))
    if change.action == "change":
        yield from list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]
    elif change.action == "add":
        yield from (f"+{line}" for line in after)
    for pointer in change.secrets:
        yield f"{pointer} is set; it is never shown."


def _name(document: Any, pointer: str) -> str:
    """The name of what the pointer leads into, in quotes."""
    _empty, section, index, *_rest = [*pointer.split("/"), "", ""]
    try:
        return f"“{document[section][int(index)]['name']}” "
    except (LookupError, TypeError, ValueError):
        return ""
