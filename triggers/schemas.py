"""
What the context of an event must be like: the JSON Schema that an Event class may declare, checked whoever fires it.

jsonschema is imported only where a class declares one.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from django.utils.dateparse import parse_datetime, parse_duration, parse_time

from triggers.context import plain
from triggers.exceptions import ContextSchemaMismatch
from triggers.kinds import EventKind

if TYPE_CHECKING:
    from jsonschema import FormatChecker

#: How much of a value a message repeats.
MAX_EXCERPT: Final = 40


def check_context(kind: EventKind, stored_context: Mapping[str, Any]) -> None:
    """
    Raise ContextSchemaMismatch unless the context is as the ``context_schema`` of the kind asks, if it has one.

    Judged is the context as JSON shows it: moments and the like as text, Decimals as numbers.
    """
    schema = kind.context_schema
    if schema is None:
        return
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry

    # An empty registry fetches nothing: what the schema refers to must be in it.
    validator = Draft202012Validator(schema, registry=Registry(), format_checker=_format_checker())
    try:
        error = best_match(validator.iter_errors(plain(stored_context, decimal=_number)))
    except Exception as failure:  # numbers beyond all bounds, references that lead in circles or nowhere
        message = f"The context cannot be checked against the schema of {kind.name}: {type(failure).__name__}."
        raise ContextSchemaMismatch(message) from failure
    if error is not None:
        path = tuple(error.absolute_path)
        where = "/".join(_excerpt(part, quote="") for part in path) or "the context"
        message = f"The context is not as the schema of {kind.name} asks: {where} {_in_words(error)}."
        raise ContextSchemaMismatch(message, path)


def problems_of(schema: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with the ``context_schema`` of a class, and how to mend it; for a system check."""
    try:
        from jsonschema import Draft202012Validator, SchemaError
    except ImportError:
        yield "needs the package jsonschema.", "Install it: pip install 'dj-triggers[jsonschema]'."
        return
    if not isinstance(schema, Mapping):
        yield f"is {type(schema).__name__}, not a JSON Schema.", "Write the schema as a dictionary."
        return
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path) or "the top level"
        yield f"is no JSON Schema 2020-12, at {where}: {error.message:.200}", "Correct the schema there."
        return
    for reference in _lost_references(schema):
        yield f"refers to {reference}, which is not in the schema.", "Copy what it refers to below $defs."


def _lost_references(schema: Mapping[str, Any]) -> Iterator[str]:
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    def search(part: Any, resolver: Any) -> Iterator[str]:
        if not isinstance(part, Mapping):
            return
        for keyword in ("$ref", "$dynamicRef"):
            try:
                if keyword in part:
                    resolver.lookup(part[keyword])
            except Unresolvable:
                yield part[keyword]
        for inner in DRAFT202012.subresources_of(part):
            yield from search(inner, resolver.in_subresource(DRAFT202012.create_resource(inner)))

    registry: Registry[Any] = Registry()
    yield from search(schema, registry.resolver_with_root(DRAFT202012.create_resource(schema)))


def _format_checker() -> FormatChecker:
    """jsonschema's own, and the formats for which it needs further packages."""
    from jsonschema import FormatChecker

    checker = FormatChecker()
    checker.checks("date-time", ValueError)(_is_moment)
    checker.checks("time", ValueError)(lambda value: not isinstance(value, str) or parse_time(value) is not None)
    checker.checks("duration", ValueError)(_is_duration)
    return checker


def _is_moment(value: object) -> bool:
    if not isinstance(value, str):
        return True
    moment = parse_datetime(value)
    return moment is not None and moment.tzinfo is not None


def _is_duration(value: object) -> bool:
    return not isinstance(value, str) or (value.lstrip("+-").startswith("P") and parse_duration(value) is not None)


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _in_words(error: Any) -> str:
    keyword = str(error.validator)
    if keyword in _WITH_VALUE:
        return f"{_WITH_VALUE[keyword](error.validator_value)}, not {_excerpt(error.instance)}"
    if keyword in _WITHOUT_VALUE:
        return _WITHOUT_VALUE[keyword](error)
    # Of what a schema of “false” refuses, jsonschema does not say where it is.
    return f"does not satisfy “{keyword}”" if error.validator else "holds what is not allowed"


#: What a value must be, by the keyword of the schema.
_WITH_VALUE: Final[Mapping[str, Callable[[Any], str]]] = {
    "type": lambda types: f"must be of the type {_choice([types] if isinstance(types, str) else types)}",
    "enum": lambda values: f"must be one of {_excerpt(values, 200)}",
    "const": lambda value: f"must be {_excerpt(value)}",
    "minimum": lambda bound: f"must be at least {bound}",
    "maximum": lambda bound: f"must be at most {bound}",
    "exclusiveMinimum": lambda bound: f"must be more than {bound}",
    "exclusiveMaximum": lambda bound: f"must be less than {bound}",
    "multipleOf": lambda number: f"must be a multiple of {number}",
    "pattern": lambda pattern: f"must match {pattern}",
    "format": lambda name: f"must be of the format {name}",
}
#: The same where the value says nothing, or too much.
_WITHOUT_VALUE: Final[Mapping[str, Callable[[Any], str]]] = {
    "required": lambda error: f"lacks {_names(name for name in error.validator_value if name not in error.instance)}",
    "additionalProperties": lambda error: f"must not have {_names(_unknown_keys(error))}",
    "minLength": lambda error: f"must have at least {error.validator_value} characters",
    "maxLength": lambda error: f"must have at most {error.validator_value} characters",
    "minItems": lambda error: f"must have at least {error.validator_value} items",
    "maxItems": lambda error: f"must have at most {error.validator_value} items",
    "minProperties": lambda error: f"must have at least {error.validator_value} keys",
    "maxProperties": lambda error: f"must have at most {error.validator_value} keys",
    "uniqueItems": lambda error: "must not have an item twice",
}


def _unknown_keys(error: Any) -> Iterator[str]:
    patterns = error.schema.get("patternProperties", {})
    for key in error.instance:
        if key not in error.schema.get("properties", {}) and not any(re.search(pattern, key) for pattern in patterns):
            yield key


def _names(keys: Iterator[str]) -> str:
    return ", ".join(_excerpt(key) for key in keys)[:200]


def _choice(names: list[str]) -> str:
    return " or ".join(names)


def _excerpt(value: Any, length: int = MAX_EXCERPT, quote: str = '"') -> str:
    text = str(value) if not quote else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= length else f"{text[: length - 1]}…"
