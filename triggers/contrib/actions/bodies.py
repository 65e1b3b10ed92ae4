"""
JSON of which the texts are templates: the bodies of webhooks, the contexts of events. Whatever values they meet, what
comes out is valid JSON: it is filled in value by value, and written as JSON at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from time import thread_time
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from triggers.context import decode, encode, plain
from triggers.contrib import templates
from triggers.exceptions import ContextInvalid, PermanentError

#: How long a body may be, as it is set up and as it is sent.
MOST: Final = 256 * 1024
_TOO_LONG: Final = f"The JSON is longer than {MOST} characters."


def validate_body(body: Any) -> None:
    """Raises ValidationError, which names the place, if a text is no template."""
    if len(json.dumps(body)) > MOST:
        raise ValidationError(_("The JSON is longer than %(most)d characters."), "json_too_long", {"most": MOST})
    for path, text in _texts(body, ""):
        try:
            templates.check(text)
        except ValidationError as error:
            detail = " ".join(error.messages)
            raise ValidationError(
                "%(at)s: %(detail)s", "template_invalid", {"at": path or "/", "detail": detail}
            ) from None


def render(body: Any, variables: Mapping[str, Any]) -> str:
    """
    The body as JSON. A text that is one expression alone becomes its value, of whatever type; others are texts.

    Raises PermanentError when it takes too long, becomes too long, or a value is none that JSON has.
    """
    text = json.dumps(_Filling(variables, plain).filled(body), ensure_ascii=False, separators=(",", ":"))
    if len(text) > MOST:
        raise PermanentError(_TOO_LONG)
    return text


def fill(body: Any, variables: Mapping[str, Any]) -> Any:
    """
    The body with its texts filled in, as the context of an event: Decimals, moments and UUIDs remain what they are.

    Raises PermanentError as ``render`` does.
    """
    return _Filling(variables, decode).filled(body)


class _Filling:
    """All templates of a body together have the time of one, and make no more than a body may hold."""

    def __init__(self, variables: Mapping[str, Any], read: Callable[[Any], Any]) -> None:
        self.variables = variables
        self.read = read
        self.deadline = thread_time() + templates.MAX_TIME
        self.length = 0

    def filled(self, body: Any) -> Any:
        if isinstance(body, str):
            return self.value(body)
        if isinstance(body, list):
            return [self.filled(item) for item in body]
        if isinstance(body, dict):
            return {key: self.filled(value) for key, value in body.items()}
        return body

    def value(self, text: str) -> Any:
        if thread_time() > self.deadline:
            raise PermanentError("The templates of the JSON take too long.")
        try:
            value = encode({"value": templates.value(text, self.variables)})["value"]
        except ContextInvalid as error:
            raise PermanentError(f"A value cannot be written as JSON: {error}") from error
        self.length += len(json.dumps(plain(value)))
        if self.length > MOST:
            raise PermanentError(_TOO_LONG)
        return self.read(value)


def _texts(body: Any, path: str) -> Iterator[tuple[str, str]]:
    """The texts with JSON pointers to them."""
    if isinstance(body, str):
        yield path, body
    elif isinstance(body, list | dict):
        for key, value in body.items() if isinstance(body, dict) else enumerate(body):
            yield from _texts(value, f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}")
