"""
The context of an event as it is stored: JSON, and a few more types under a tag.

A tagged value is an object with one key, such as ``{"$datetime": "2026-01-31T09:00:00+00:00"}``. Keys
of the caller that begin with ``$`` get a second one, so that they are never taken for a tag.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from triggers.exceptions import ContextInvalid, ContextKeyReserved

#: Keys that dj-triggers passes beside the context itself.
RESERVED_KEYS: Final = frozenset({"user", "user_pk", "user_queryset", "event", "event_pk", "self", "sender", "signal"})
MAX_DEPTH: Final = 32

Path = tuple[str | int, ...]

# datetime before date: a datetime is a date.
_TAGS: Final[tuple[tuple[str, type, Callable[[Any], str], Callable[[str], Any]], ...]] = (
    ("$datetime", dt.datetime, lambda value: value.isoformat(), dt.datetime.fromisoformat),
    ("$date", dt.date, lambda value: value.isoformat(), dt.date.fromisoformat),
    ("$time", dt.time, lambda value: value.isoformat(), dt.time.fromisoformat),
    ("$uuid", UUID, str, UUID),
    ("$decimal", Decimal, str, Decimal),
)
_PARSERS: Final = {tag: parse for tag, _, _, parse in _TAGS}


def encode(context: Mapping[str, Any]) -> dict[str, Any]:
    """
    The context as JSON, without losing a type: :func:`decode` gives back an equal one (tuples become lists).

    Raises ContextInvalid, naming the path, for what is neither JSON nor a datetime, date, time, UUID or
    Decimal; ContextKeyReserved for a key that dj-triggers sets itself.
    """
    if not isinstance(context, Mapping):
        raise ContextInvalid(f"The context must be an object, not {_type_name(context)}.")
    for key in context:
        if key in RESERVED_KEYS:
            raise ContextKeyReserved(f"“{key}” is set by dj-triggers; use another name for it in the context.", (key,))
    encoded: dict[str, Any] = _encode(context, ())
    return encoded


def decode(stored: Any) -> Any:
    """The value that was given to :func:`encode`."""
    if isinstance(stored, list):
        return [decode(item) for item in stored]
    if not isinstance(stored, dict):
        return stored
    if len(stored) == 1:
        ((tag, text),) = stored.items()
        if tag in _PARSERS:
            return _PARSERS[tag](text)
    return {key.removeprefix("$"): decode(value) for key, value in stored.items()}


def plain(stored: Any, decimal: Callable[[str], Any] = str) -> Any:
    """What :func:`encode` made as JSON shows it to people: values under a tag are their text, keys the caller's own."""
    if isinstance(stored, list):
        return [plain(item, decimal) for item in stored]
    if not isinstance(stored, dict):
        return stored
    if len(stored) == 1:
        ((tag, text),) = stored.items()
        if tag in _PARSERS:
            return decimal(text) if tag == "$decimal" else text
    return {key.removeprefix("$"): plain(value, decimal) for key, value in stored.items()}


def canonical(value: Any) -> str:
    """One text for equal JSON values, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _encode(value: Any, path: Path) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if len(path) > MAX_DEPTH:
        raise ContextInvalid(f"The context is nested deeper than {MAX_DEPTH} levels at {_at(path)}.", path)
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ContextInvalid(f"{value} at {_at(path)} is not a number that JSON can hold.", path)
        return float(value)
    if isinstance(value, Mapping):
        return {_key(key, path): _encode(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item, (*path, index)) for index, item in enumerate(value)]
    for tag, kind, write, _ in _TAGS:
        if isinstance(value, kind):
            return {tag: write(value)}
    raise ContextInvalid(
        f"{_type_name(value)} at {_at(path)} cannot be stored; pass plain values, "
        "and the primary key in place of a model instance.",
        path,
    )


def _key(key: Any, path: Path) -> str:
    if not isinstance(key, str):
        raise ContextInvalid(f"The key {key!r} at {_at(path)} is {_type_name(key)}; keys must be strings.", path)
    text = _text(key, (*path, key))
    return f"${text}" if text.startswith("$") else text


def _text(value: str, path: Path) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ContextInvalid(f"The text at {_at(path)} holds half of a surrogate pair.", path) from None
    if "\x00" in value:
        raise ContextInvalid(f"The text at {_at(path)} holds the character U+0000.", path)
    return str.__str__(value)


def _at(path: Path) -> str:
    return "/".join(str(part).encode("unicode_escape").decode() for part in path) or "the top level"


def _type_name(value: object) -> str:
    return type(value).__name__
