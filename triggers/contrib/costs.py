"""
What a CEL expression can cost at worst, calculated from its syntax tree and the size of its variables.

Each expression has a bound: how much work it is, how many items the longest list in its value has, and how large
the value is. Loops multiply, texts and lists that are put together add. Nothing is evaluated for that.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Final, NamedTuple
from zoneinfo import available_timezones

from django.utils.translation import gettext as _

#: Units of work that an expression may take. A unit is some nanoseconds.
LIMIT: Final = 10_000_000
MAX_LOOPS: Final = 8
MAX_LOOP_DEPTH: Final = 3


class Refused(Exception):
    """The expression holds what is not allowed."""


class Bound(NamedTuple):
    """The most that an expression may take and give: work, items of the longest list, characters and items in all."""

    cost: int
    length: int
    size: int


#: What an expression must be able to cope with when it is saved.
USUAL: Final = Bound(1, 32, 1024)

Variables = Mapping[str, Bound]
Calculation = Callable[[Variables], Bound]


#: What is read: a variable and the fields below it.
Path = tuple[str, ...]


class Root(NamedTuple):
    bound: Calculation
    names: frozenset[str]
    #: In the order in which they are read.
    paths: tuple[Path, ...]


def measured(value: Any) -> Bound:
    """How large a value is: the longest list within it, and its characters and items."""
    if isinstance(value, str):
        return Bound(1, 0, len(value) + 1)
    if isinstance(value, dict):
        value = [part for item in value.items() for part in item]
        parts, length = value, len(value) // 2
    elif isinstance(value, list):
        parts, length = value, len(value)
    else:
        return Bound(1, 0, 1)
    inner = [measured(part) for part in parts]
    return Bound(1, max([length, *(part.length for part in inner)]), 1 + sum(part.size for part in inner))


def parse(serialized: bytes) -> Root:
    """The calculation for an expression that the evaluator has serialized as ``google.protobuf.Any``."""
    reading = _Reading()
    checked = _fields(_first(_fields(serialized), 2))
    bound = reading.expression(_first(checked, 4))
    return Root(bound, frozenset(reading.names), tuple(reading.paths))


# The numbers are those of the fields of cel.expr.Expr in cel/expr/syntax.proto.
_CONST, _IDENT, _SELECT, _CALL, _LIST, _STRUCT, _LOOP = 3, 4, 5, 6, 7, 8, 9

_REPEATED: Final = re.compile(r"\{(\d{1,4}),?(\d{0,4})\}")
_OF_SIZE: Final = frozenset({"_+_", "_?_:_", "_[_]", "string", "bytes", "dyn"})
_IN_A_ZONE: Final = frozenset(
    f"get{part}"
    for part in (
        "Date",
        "DayOfMonth",
        "DayOfWeek",
        "DayOfYear",
        "FullYear",
        "Hours",
        "Milliseconds",
        "Minutes",
        "Month",
        "Seconds",
    )
)


class _Reading:
    """One walk over a syntax tree: what its parts cost, and the names that it has met."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.paths: dict[Path, None] = {}
        self.loops = 0
        self.depth = 0
        self.kinds: dict[int, Callable[[Fields], Calculation]] = {
            _CONST: self.constant,
            _IDENT: self.identifier,
            _SELECT: self.selection,
            _CALL: self.call,
            _LIST: self.sequence,
            _STRUCT: self.mapping,
            _LOOP: self.loop,
        }

    def expression(self, message: bytes) -> Calculation:
        fields = _fields(message)
        for number, read in self.kinds.items():
            if number in fields:
                return read(_fields(_first(fields, number)))
        raise Refused(_("The expression has a part that is unknown."))

    def all(self, messages: Sequence[Any]) -> list[Calculation]:
        return [self.expression(message) for message in messages]

    def constant(self, fields: Fields) -> Calculation:
        size = 1 + sum(len(value) for values in fields.values() for value in values if isinstance(value, bytes))
        return lambda variables: Bound(1, 0, size)

    def identifier(self, fields: Fields) -> Calculation:
        name = _first(fields, 1).decode().removeprefix(".")
        self.names.add(name)
        return lambda variables: variables.get(name, Bound(1, 0, 1))

    def selection(self, fields: Fields) -> Calculation:
        if path := _path(fields):
            self.paths[path] = None
        operand = self.expression(_first(fields, 1))
        return lambda variables: _and(operand(variables))

    def call(self, fields: Fields) -> Calculation:
        function = _first(fields, 2).decode()
        if function in _IN_A_ZONE and fields[3]:
            _check_zone(fields[3][0])
        arguments = self.all([*fields[1], *fields[3]])
        # A regular expression is compiled each time; then each character may meet each of its states.
        weight = _states(fields[3][-1]) if function == "matches" else 1
        compiling = 100 * weight if function == "matches" else 1

        def bound(variables: Variables) -> Bound:
            parts = [argument(variables) for argument in arguments]
            size = sum(part.size for part in parts)
            cost = compiling + weight * size + sum(part.cost for part in parts)
            if function not in _OF_SIZE:
                return Bound(cost, 0, 1)
            return Bound(cost, sum(part.length for part in parts), size + 32)

        return bound

    def sequence(self, fields: Fields) -> Calculation:
        return _collection(self.all(fields[1]), len(fields[1]))

    def mapping(self, fields: Fields) -> Calculation:
        if fields[1]:
            raise Refused(_("The expression makes a message; only lists and maps can be made."))
        entries = [_fields(entry) for entry in fields[2]]
        return _collection(self.all([part for entry in entries for part in (*entry[3], *entry[4])]), len(entries))

    def loop(self, fields: Fields) -> Calculation:
        self.loops += 1
        items = self.expression(_first(fields, 2))
        start = self.expression(_first(fields, 4))
        self.depth += 1
        if self.loops > MAX_LOOPS or self.depth > MAX_LOOP_DEPTH:
            raise Refused(
                _("The expression has more than %(loops)d loops, or more than %(depth)d within each other.")
                % {"loops": MAX_LOOPS, "depth": MAX_LOOP_DEPTH}
            )
        rounds = [self.expression(_first(fields, 5)), self.expression(_first(fields, 6))]
        self.depth -= 1
        result = self.expression(_first(fields, 7))
        item_names = [name.decode() for name in (*fields[1], *fields[8]) if name]
        collected = _first(fields, 3).decode()

        def bound(variables: Variables) -> Bound:
            over = items(variables)
            first = start(variables)

            def a_round(size: int) -> Bound:
                item = Bound(1, over.length, size)
                inner = {**variables, **dict.fromkeys(item_names, item), collected: Bound(1, 0, 0)}
                parts = [part(inner) for part in rounds]
                return Bound(sum(p.cost for p in parts), max(p.length for p in parts), sum(p.size for p in parts))

            # All items together are as large as what is looped over; the rest of a round is the same in each.
            largest, rest = a_round(over.size), a_round(0)
            size = first.size + largest.size + over.length * rest.size
            made = Bound(1, max(over.length, largest.length), size)
            ending = result({**variables, collected: made})
            cost = over.cost + first.cost + largest.cost + over.length * (rest.cost + 1) + ending.cost
            return Bound(cost, ending.length, ending.size)

        return bound


def _path(selection: Fields) -> Path:
    """What a selection reads if it is nothing but names, as ``context.order.id``; empty if it is not."""
    operand = _fields(_first(selection, 1))
    field = _first(selection, 2).decode()
    if operand.get(_IDENT):
        return (_first(_fields(operand[_IDENT][0]), 1).decode().removeprefix("."), field)
    inner = _path(_fields(operand[_SELECT][0])) if operand.get(_SELECT) else ()
    return (*inner, field) if inner else ()


def _and(bound: Bound) -> Bound:
    return Bound(bound.cost + 1, bound.length, bound.size)


def _collection(parts: Sequence[Calculation], count: int) -> Calculation:
    def bound(variables: Variables) -> Bound:
        bounds = [part(variables) for part in parts]
        cost = 1 + count + sum(part.cost for part in bounds)
        return Bound(cost, max([count, *(part.length for part in bounds)]), 1 + count + sum(p.size for p in bounds))

    return bound


def _check_zone(message: bytes) -> None:
    """A time zone is named in the expression itself: the evaluator would open any file of that name."""
    name = _text(message) or ""
    offset = name.removeprefix("-").removeprefix("+").replace(":", "")
    if name not in available_timezones() and not (offset.isascii() and offset.isdigit()):
        raise Refused(_("A time zone must be written as a text with its name, such as 'Europe/Vienna'."))


def _states(message: bytes) -> int:
    """
    How many states a regular expression has at most. It is written in the expression itself, so that this is known.

    RE2 repeats nothing more than a thousand times, groups within groups included. A character is up to ten states, a
    class of Unicode up to a thousand.
    """
    pattern = _text(message)
    if pattern is None:
        raise Refused(_("A regular expression must be written as a text."))
    counts = [max(int(number or 0) for number in found) for found in _REPEATED.findall(pattern)]
    each = 1000 if "\\p" in pattern or "\\P" in pattern else 10
    if ")" in pattern and counts:
        return each * len(pattern) * min(1000, prod(max(1, count) for count in counts))
    return each * (len(pattern) + sum(counts))


def _text(message: bytes) -> str | None:
    """The text that an expression is; None if it is something else."""
    constant = _fields(message).get(_CONST)
    text = _fields(constant[0]).get(6) if constant else None
    return text[0].decode() if text else None


Fields = Mapping[int, list[Any]]


def _fields(message: bytes) -> Fields:
    """A message of protocol buffers: the values of its fields by their numbers."""
    fields: defaultdict[int, list[Any]] = defaultdict(list)
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, position = _varint(message, position)
            fields[number].append(value)
            continue
        length = {1: 8, 5: 4}.get(wire_type)
        if length is None:
            length, position = _varint(message, position)
        fields[number].append(message[position : position + length])
        position += length
    return fields


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def _first(fields: Fields, number: int) -> bytes:
    found: bytes = fields[number][0] if fields[number] else b""
    return found
