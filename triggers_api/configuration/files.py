"""
Documents as files: YAML, of which JSON is a part, read strictly; and where in the file something is.

YAML is read by its core schema: what is not null, true, false or a number is a text, dates and ``yes`` included. Keys
that are repeated, aliases and tags are refused: what stands at a place is what is there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.resolver import Resolver

from triggers_api.errors import Path, Problem, pointer
from triggers_api.parsers import StrictJSONParser

_NULL: Final = re.compile(r"null|Null|NULL|~|")
_BOOL: Final = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
#: What other versions of YAML take for the end of a line.
_BREAKS: Final = re.compile("[\x85\u2028\u2029]")
_TAG: Final = "tag:yaml.org,2002:"


class _CoreResolver(Resolver):
    """Nothing is more than a text, unless the core schema says so."""

    yaml_implicit_resolvers = {}


class _Loader(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, _CoreResolver):
    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)
        _CoreResolver.__init__(self)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as such, and in quotes whatever any reader might take for something else."""


for _kind, _pattern in (("null", _NULL), ("bool", _BOOL), ("int", _INT), ("float", _FLOAT)):
    _whole = re.compile(f"(?:{_pattern.pattern})\\Z")
    _CoreResolver.add_implicit_resolver(f"{_TAG}{_kind}", _whole, None)
    _Dumper.add_implicit_resolver(f"{_TAG}{_kind}", _whole, None)


def _text(dumper: _Dumper, text: str) -> Any:
    style = '"' if _BREAKS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar(f"{_TAG}str", text, style=style)


_Dumper.add_representer(str, _text)


@dataclass(frozen=True)
class Place:
    """A line and a column, counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class Places:
    """Where in a file the parts of its document are."""

    def __init__(self, root: Node | None = None) -> None:
        self._nodes: dict[str, Node] = {} if root is None else dict(_nodes(root, (), set()))

    def of(self, pointed: str) -> Place | None:
        """The place of the part, or of what it is missing from."""
        while pointed not in self._nodes:
            if not pointed:
                return None
            pointed = pointed.rpartition("/")[0]
        mark: Any = self._nodes[pointed].start_mark
        return mark and Place(mark.line + 1, mark.column + 1)


class FileRefused(Exception):
    """The file cannot be read, or holds what no document has."""

    def __init__(self, detail: str, path: Path = ()) -> None:
        super().__init__(detail)
        self.pointer = pointer(path)


def read(body: bytes) -> tuple[Any, Places]:
    """The document in the file, and where its parts are. Raises FileRefused."""
    parser = _Parser()
    try:
        return parser.parse(BytesIO(body)), parser.places
    except Problem as problem:
        raise _placed(FileRefused(str(problem.detail), problem.path or ()), parser.places) from None
    except FileRefused as refusal:
        raise _placed(refusal, parser.places) from None


def _placed(refusal: FileRefused, places: Places) -> FileRefused:
    place = places.of(refusal.pointer)
    return FileRefused(f"{place}: {refusal}" if place and refusal.pointer else str(refusal))


class _Parser(StrictJSONParser):
    """Reads a document from a file: JSON if it begins with a brace, else YAML."""

    max_length = 2**26

    def __init__(self) -> None:
        self.places = Places()

    def _decode(self, body: bytes) -> Any:
        if body.lstrip().startswith(b"{"):
            value = super()._decode(body)
            with suppress(yaml.YAMLError, RecursionError, FileRefused):  # it has no places then
                self.places = Places(_root(body.decode().replace("\t", " ")))
            return value
        try:
            root = _root(body.decode())
            self.places = Places(root)
            return _value(root, ())
        except UnicodeDecodeError as error:
            raise FileRefused(f"The file is not UTF-8: byte {error.start}.") from None
        except RecursionError:
            raise self._too_deep(()) from None
        except yaml.YAMLError as error:
            raise FileRefused(f"The file is not YAML: {_sentence(error)}") from None

    def _check_whole(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise FileRefused("The file is no mapping of sections.")


def as_yaml(document: Any) -> str:
    """The document, in the order in which it is told."""
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)
    return text


def as_json(document: Any) -> str:
    """The same in JSON."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _value(node: Node, path: Path) -> Any:
    match node:
        case MappingNode() if node.tag == f"{_TAG}map":
            value = {_key(key, path): _value(item, (*path, key.value)) for key, item in node.value}
            if len(value) < len(node.value):
                keys = [key.value for key, _item in node.value]
                key = next(key for key in keys if keys.count(key) > 1)
                raise FileRefused(f"The mapping has the key “{key}” {keys.count(key)} times.", path)
            return value
        case SequenceNode() if node.tag == f"{_TAG}seq":
            return [_value(item, (*path, index)) for index, item in enumerate(node.value)]
        case ScalarNode():
            kind = node.tag.removeprefix(_TAG)
            if kind in _SCALARS:
                return _scalar(kind, node.value, path)
    raise FileRefused(f"The tag {node.tag} is not taken: write plain YAML.", path)


def _key(node: Node, path: Path) -> str:
    if not isinstance(node, ScalarNode) or node.tag != f"{_TAG}str":
        raise FileRefused("A key of the mapping is no text: write it in quotes.", path)
    return str(node.value)


def _scalar(kind: str, text: str, path: Path) -> Any:
    try:
        return _SCALARS[kind](text)
    except ValueError:  # Python refuses to convert very long integers
        raise FileRefused("The number has too many digits.", path) from None


_SCALARS: Final[Mapping[str, Any]] = {
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": lambda text: float(re.sub(r"\.(?=inf|nan)", "", text.lower())),
    "str": str,
}


def _nodes(node: Node, path: Path, seen: set[int]) -> Iterator[tuple[str, Node]]:
    """All nodes by pointer. Refuses one that is at two places."""
    if id(node) in seen:
        raise FileRefused(f"At {pointer(path)} is an alias: write out what it stands for.")
    seen.add(id(node))
    yield pointer(path), node
    if isinstance(node, MappingNode):
        for key, item in node.value:
            yield from _nodes(item, (*path, str(key.value)), seen)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield from _nodes(item, (*path, index), seen)


def _root(text: str) -> Node:
    root: Node | None = _Loader(text).get_single_node()
    return ScalarNode(f"{_TAG}null", "") if root is None else root


def _sentence(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"{error.problem or error.context}, line {mark.line + 1}, column {mark.column + 1}."
    return f"{error}.".replace("\n", " ")
