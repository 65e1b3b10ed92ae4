"""JSON as RFC 8259 has it and databases can keep it."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import IO, Any, ClassVar

from rest_framework.parsers import BaseParser

from triggers_api.errors import Path, Problem


class StrictParser(BaseParser):
    """
    Reads any JSON value from the body.

    Refuses, naming the place, what other parsers would read each in its own way or what no database keeps: keys
    that are repeated, numbers that are not finite, U+0000, half surrogate pairs, deep nesting.
    """

    media_type = "application/json"

    #: In bytes.
    max_length: ClassVar[int] = 2**20
    #: Levels of objects and lists, the outermost included.
    max_depth: ClassVar[int] = 32

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(self.max_length + 1)
        if len(body) > self.max_length:
            raise Problem(413, "body_too_large", f"The body is longer than {self.max_length} bytes.")
        value = self._decode(body)
        self._check_whole(value)
        self._check(value, ())
        return value

    def _check_whole(self, value: Any) -> None:
        """Refuse a value that is not what the body is to be."""

    def _decode(self, body: bytes) -> Any:
        try:
            return json.loads(body.decode(), object_pairs_hook=_object)
        except RecursionError:
            raise self._too_deep(()) from None
        except UnicodeDecodeError as error:
            raise Problem(400, "json_malformed", f"The body is not UTF-8: byte {error.start}.") from None
        except json.JSONDecodeError as error:
            raise Problem(400, "json_malformed", f"The body is not JSON: {error}.") from None
        except ValueError:  # Python refuses to convert very long integers
            raise Problem(400, "json_number_invalid", "A number in the body has too many digits.") from None

    def _check(self, value: Any, path: Path) -> None:
        match value:
            case dict() | list() if len(path) >= self.max_depth:
                raise self._too_deep(path)
            case dict():
                for key, item in value.items():
                    _check_text(key, path)
                    self._check(item, (*path, key))
            case list():
                for index, item in enumerate(value):
                    self._check(item, (*path, index))
            case str():
                _check_text(value, path)
            case float() if not math.isfinite(value):
                raise Problem(400, "json_number_invalid", "The number is not finite or is too large.", path)

    def _too_deep(self, path: Path) -> Problem:
        return Problem(400, "json_too_deep", f"The body is nested deeper than {self.max_depth} levels.", path)


class StrictJSONParser(StrictParser):
    """Reads an object from the body."""

    def _check_whole(self, value: Any) -> None:
        if not isinstance(value, dict):
            raise Problem(400, "json_not_an_object", "The body is not a JSON object.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        ((key, times),) = Counter(key for key, _ in pairs).most_common(1)
        raise Problem(400, "json_key_repeated", f"An object in the body has the key {json.dumps(key)} {times} times.")
    return value


def _check_text(text: str, path: Path) -> None:
    if "\x00" in text:
        raise Problem(400, "json_text_invalid", "The text holds the character U+0000.", path)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Problem(400, "json_text_invalid", "The text holds half of a surrogate pair.", path) from None
