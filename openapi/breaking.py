"""
Name the changes since the last release that break clients of the API.

    python -m openapi.breaking

Compatible is what old clients do not notice: what they send is still accepted, and in what they are answered there is
all they know of. Names that generated clients have for operations and types count too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import yaml

Schema = Mapping[str, Any]
#: Whether clients send what the schema describes, or read it.
Direction = Literal["sent", "read"]

FOLDER: Final = Path(__file__).parent
METHODS: Final = ("get", "post", "put", "patch", "delete")
#: Bounds that accept less when they rise, and when they fall.
_FLOORS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_CEILINGS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """A sentence for each change from one OpenAPI document to the next that breaks clients."""
    return list(dict.fromkeys(_Comparison(old, new).changes()))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._seen: set[tuple[str, str, Direction]] = set()

    def changes(self) -> Iterator[str]:
        for path, item in self._old["paths"].items():
            for method in METHODS:
                if method in item:
                    yield from self._operation(f"{method.upper()} {path}", item[method], self._new, path, method)

    def _operation(self, where: str, old: Schema, document: Schema, path: str, method: str) -> Iterator[str]:
        new = document["paths"].get(path, {}).get(method)
        if new is None:
            yield f"{where} is gone."
            return
        if old["operationId"] != new["operationId"]:
            yield f"{where}: the operation {old['operationId']} is called {new['operationId']} now."
        yield from self._parameters(where, old.get("parameters", ()), new.get("parameters", ()))
        yield from self._body(where, old.get("requestBody"), new.get("requestBody"))
        yield from self._answers(where, old["responses"], new["responses"])

    def _parameters(self, where: str, old: Iterable[Schema], new: Iterable[Schema]) -> Iterator[str]:
        before = {(parameter["in"], parameter["name"]): parameter for parameter in old}
        after = {(parameter["in"], parameter["name"]): parameter for parameter in new}
        for key, parameter in before.items():
            place = f"{where}: the {key[0]} parameter {key[1]}"
            if key not in after:
                yield f"{place} is gone."
                continue
            if after[key].get("required") and not parameter.get("required"):
                yield f"{place} is required now."
            yield from self._schemas(place, parameter["schema"], after[key]["schema"], "sent")
        for key, parameter in after.items():
            if key not in before and parameter.get("required"):
                yield f"{where}: the {key[0]} parameter {key[1]} is new and required."

    def _body(self, where: str, old: Schema | None, new: Schema | None) -> Iterator[str]:
        if new is not None and new.get("required") and not (old or {}).get("required"):
            yield f"{where}: a body is required now."
        if old is not None:
            yield from self._contents(f"{where}: the body", old, new or {}, "sent")

    def _answers(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        for status, answer in old.items():
            if not status.startswith("2"):
                continue  # refusals are problems all, and may come and go
            place = f"{where}: the answer {status}"
            if status not in new:
                yield f"{place} is gone."
                continue
            for header in answer.get("headers", {}):
                if header not in new[status].get("headers", {}):
                    yield f"{place} has no header {header} any more."
            yield from self._contents(place, answer, new[status], "read")

    def _contents(self, where: str, old: Schema, new: Schema, direction: Direction) -> Iterator[str]:
        after = new.get("content", {})
        for media_type, content in old.get("content", {}).items():
            if media_type not in after:
                yield f"{where} is not in {media_type} any more."
            else:
                yield from self._schemas(where, content["schema"], after[media_type]["schema"], direction)

    def _schemas(self, where: str, old: Schema, new: Schema, direction: Direction) -> Iterator[str]:
        old, new = _referred(old), _referred(new)
        if "$ref" in old and "$ref" in new:
            pair = (old["$ref"], new["$ref"], direction)
            if pair in self._seen:
                return
            self._seen.add(pair)
            where = old["$ref"].rpartition("/")[2]
        old, new = _flat(self._old, old), _flat(self._new, new)
        yield from _types(where, old, new, direction)
        yield from _values(where, old, new)
        if direction == "sent":
            yield from _bounds(where, old, new)
        yield from self._fields(where, old, new, direction)
        for key in ("items", "additionalProperties"):
            if isinstance(old.get(key), Mapping) and isinstance(new.get(key), Mapping):
                yield from self._schemas(f"{where}[]", old[key], new[key], direction)
        yield from self._variants(where, old, new, direction)

    def _fields(self, where: str, old: Schema, new: Schema, direction: Direction) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        required = (set(old.get("required", ())), set(new.get("required", ())))
        for name, field in before.items():
            if name not in after:
                yield f"{where}: the field {name} is gone."
            else:
                yield from self._schemas(f"{where}.{name}", field, after[name], direction)
        if direction == "sent":
            for name in sorted(required[1] - required[0]):
                yield f"{where}: the field {name} is required now."
            if new.get("additionalProperties") is False and old.get("additionalProperties") is not False and before:
                yield f"{where}: fields without a name here are refused now."
        else:
            for name in sorted((required[0] - required[1]) & set(after)):
                yield f"{where}: the field {name} may be left out now."

    def _variants(self, where: str, old: Schema, new: Schema, direction: Direction) -> Iterator[str]:
        before, after = self._named(self._old, old), self._named(self._new, new)
        for name, variant in before.items():
            if name not in after:
                yield f"{where}: the variant {name} is gone."
            else:
                yield from self._schemas(f"{where} ({name})", variant, after[name], direction)
        if after and not before and direction == "sent":
            yield f"{where}: only some variants are accepted now."

    def _named(self, document: Schema, schema: Schema) -> dict[str, Schema]:
        """The variants by what tells them: their constant type, the name of the component, or how they look."""
        found: dict[str, Schema] = {}
        for key in ("oneOf", "anyOf"):
            for variant in schema.get(key, ()):
                constant = _flat(document, variant).get("properties", {}).get("type", {}).get("const")
                name = constant or variant.get("$ref", "").rpartition("/")[2] or variant.get("type")
                found[str(name or yaml.safe_dump(variant, sort_keys=True))] = variant
        return found


def _referred(schema: Schema) -> Schema:
    """The reference that the schema is, but for a description or a default."""
    parts: list[Schema] = schema.get("allOf", [])
    return parts[0] if len(parts) == 1 and "$ref" in parts[0] else schema


def _flat(document: Schema, schema: Schema) -> Schema:
    """The schema without references and ``allOf`` at its top."""
    if "$ref" in schema:
        target: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return _flat(document, {**target, **{key: value for key, value in schema.items() if key != "$ref"}})
    if "allOf" not in schema:
        return schema
    merged: dict[str, Any] = {}
    for part in (*schema["allOf"], {key: value for key, value in schema.items() if key != "allOf"}):
        flat = _flat(document, part)
        merged["properties"] = merged.get("properties", {}) | flat.get("properties", {})
        merged["required"] = [*merged.get("required", ()), *flat.get("required", ())]
        merged |= {key: value for key, value in flat.items() if key not in ("properties", "required")}
    return merged


def _types(where: str, old: Schema, new: Schema, direction: Direction) -> Iterator[str]:
    before, after = _set(old.get("type")), _set(new.get("type"))
    if direction == "read":
        wrong = (not after and before) or (before and not after <= before)
    else:
        wrong = (not before and after) or (after and not before <= after)
    if wrong and not ("integer" in before and "number" in after and direction == "sent"):
        yield f"{where}: the type was {_list(before)} and is {_list(after)}."
    if old.get("format") != new.get("format") and ("format" in new or direction == "read"):
        yield f"{where}: the format was {old.get('format', 'any')} and is {new.get('format', 'any')}."


def _values(where: str, old: Schema, new: Schema) -> Iterator[str]:
    before, after = _choices(old), _choices(new)
    if before is not None and after is not None:
        for value in before:
            if value not in after:
                yield f"{where}: the value {value!r} is gone."
    elif after is not None:
        yield f"{where}: only certain values are known now."


def _bounds(where: str, old: Schema, new: Schema) -> Iterator[str]:
    for keys, is_narrower in ((_FLOORS, lambda now, was: now > was), (_CEILINGS, lambda now, was: now < was)):
        for key in keys:
            if key in new and (key not in old or is_narrower(new[key], old[key])):
                yield f"{where}: {key} was {old.get(key, 'none')} and is {new[key]}."
    if "pattern" in new and old.get("pattern") != new["pattern"]:
        yield f"{where}: the pattern was {old.get('pattern', 'none')} and is {new['pattern']}."


def _choices(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None


def _set(types: Any) -> set[str]:
    if types is None:
        return set()
    return {types} if isinstance(types, str) else set(types)


def _list(types: set[str]) -> str:
    return " or ".join(sorted(types)) or "any"


def main() -> None:
    released = sorted((FOLDER / "released").glob("*.yaml"))
    if not released:
        sys.stdout.write("openapi: there is no release to compare with yet.\n")
    changes = [
        f"{path.name}: {change}"
        for path in released
        for change in breaking_changes(
            yaml.safe_load(path.read_text()), yaml.safe_load((FOLDER / path.name).read_text())
        )
    ]
    if changes:
        sys.exit("\n".join(changes))


if __name__ == "__main__":
    main()
