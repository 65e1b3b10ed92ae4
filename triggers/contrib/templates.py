"""
Templates of the Liquid language: text with values put in, made within bounded time, memory and output.

A template reads the plain values that it is given and nothing else: no files, no other templates, no attributes of
objects. Every node and every filter first looks whether the rendering has had its time, and what a filter gives is
limited in size.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from liquid import BoundTemplate, Environment, RenderContext, Undefined
from liquid.ast import Node
from liquid.builtin.expressions import Filter
from liquid.builtin.expressions.logical import ContainsExpression
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.output import OutputNode
from liquid.exceptions import LiquidError, LiquidSyntaxError, UnknownFilterError
from liquid.expression import Expression
from liquid.token import Token

from triggers.contrib.fields import CheckedTextField
from triggers.contrib.variables import NAMES
from triggers.exceptions import PermanentError

MAX_LENGTH: Final = 32_768
#: Seconds of the processor that one rendering may take.
MAX_TIME: Final = 2.0
#: Characters of a text, items of a list and bits of a number that a filter may take and give.
MAX_TEXT: Final = 262_144
MAX_ITEMS: Final = 10_000
MAX_BITS: Final = 256

_GONE: Final = ("include", "render", "safe")
_BLANK: Final = re.compile(r"\s{201}")
_WIDTH: Final = re.compile(r"%[^a-zA-Z%]*\d")
_FAULTS: Final = (LiquidError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)


class TemplateError(PermanentError):
    """The template cannot be rendered with these values."""

    code: ClassVar[str] = "template_failed"


class _Spent(LiquidError):
    """A rendering has had its time, or makes something too large."""


class _Context(RenderContext):
    """A rendering that looks at its time wherever it goes."""

    __slots__ = ("deadline",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.deadline = time.thread_time() + MAX_TIME
        super().__init__(*args, **kwargs)

    @property
    def disabled_tags(self) -> list[str]:
        """Read by every node before it is rendered."""
        self.look()
        return []

    @disabled_tags.setter
    def disabled_tags(self, tags: list[str]) -> None:
        """There is none: the tags that could be disabled are gone."""

    def assign(self, key: str, val: Any) -> None:
        _limit(val)
        super().assign(key, val)

    def get(self, *args: Any, **kwargs: Any) -> object:
        self.look()
        return super().get(*args, **kwargs)

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        self.look()
        return partial(_filtered, name, super().filter(name, token))

    def look(self) -> None:
        if time.thread_time() > self.deadline:
            raise _Spent(_("The template takes too long."), token=None)


class _Template(BoundTemplate):
    context_class = _Context


class _Environment(Environment):
    template_class = _Template
    block_nesting_limit = 20
    loop_iteration_limit = MAX_ITEMS
    local_namespace_limit = 4 * MAX_TEXT
    output_stream_limit = 2 * MAX_TEXT

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(autoescape=autoescape)
        for name in _GONE:
            self.tags.pop(name, None)
            self.filters.pop(name, None)


_ENVIRONMENTS: Final = {html: _Environment(autoescape=html) for html in (False, True)}


@lru_cache(maxsize=512)
def parsed(source: str, html: bool = False) -> BoundTemplate:
    """The template, made ready once per process. Raises LiquidError where it is none."""
    if source.count("{{", source.rfind("}}") + 1) > 1:
        # Liquid would look for an end from each of them.
        raise LiquidError(_("“{{” is not closed."), token=None)
    if _BLANK.search(source):
        # Liquid would look for an end from each of them, too.
        raise LiquidError(_("There are more than 200 blanks in a row."), token=None)
    environment = _ENVIRONMENTS[html]
    template = environment.from_string(source)
    context = RenderContext(template)
    for expression in _expressions(template.nodes, context):
        if isinstance(expression, ContainsExpression) and isinstance(expression.left, RangeLiteral):
            raise LiquidSyntaxError(_("a range cannot be asked what it contains"), token=expression.token)
        if isinstance(expression, Filter) and expression.name not in environment.filters:
            raise UnknownFilterError(_("unknown filter “%s”") % expression.name, token=expression.token)
    return template


def _expressions(nodes: Iterable[Node], context: RenderContext) -> Iterator[Any]:
    """Every expression and filter within the nodes."""
    for node in nodes:
        yield from _within(node.expressions())
        yield from _expressions(node.children(context, include_partials=False), context)


def _within(expressions: Iterable[Expression]) -> Iterator[Any]:
    for expression in expressions:
        yield expression
        yield from getattr(expression, "filters", None) or ()
        yield from _within(expression.children())


def check(source: str, names: Collection[str] = NAMES) -> None:
    """
    Raise ValidationError unless the text is a template that reads these variables alone.

    Its ``params`` have ``line`` and ``column``, from 1.
    """
    if len(source) > MAX_LENGTH:
        raise _invalid(_("The template has more than %(limit)d characters.") % {"limit": MAX_LENGTH})
    try:
        used = parsed(source).analyze(include_partials=False).globals
    except LiquidError as error:
        raise _located(error) from error
    except RecursionError as error:
        raise _invalid(_("The template is nested too deeply.")) from error
    for name, places in used.items():
        if name not in names:
            line, column = places[0].span.line_col(source)
            raise _invalid(
                _("Line %(line)d, column %(column)d: there is no “%(what)s” here; there is %(names)s."),
                line,
                column + 1,
                what=name,
                names=", ".join(names),
            )


def render(source: str, variables: Mapping[str, Any], *, html: bool = False) -> str:
    """
    The text that the template makes of the variables; with ``html``, what is put in is escaped.

    What a variable does not have is left blank. Raises TemplateError, with a sentence, if there is no text.
    """
    try:
        return str(parsed(source, html).render(dict(variables)))
    except _FAULTS as error:
        raise _failed(error) from error


def value(source: str, variables: Mapping[str, Any]) -> Any:
    """
    What a template that is one “{{ expression }}” and nothing else gives, of whatever type; the text of any other.

    What a variable does not have is None. Raises TemplateError.
    """
    try:
        template = parsed(source)
        match template.nodes:
            case [OutputNode() as node]:
                found = node.expression.evaluate(_Context(template, globals=dict(variables)))
                return None if isinstance(found, Undefined) else found
    except _FAULTS as error:
        raise _failed(error) from error
    return render(source, variables)


class TemplateField(CheckedTextField):
    """The text of a template, checked when it is validated."""

    longest = MAX_LENGTH
    check_text = staticmethod(check)


def _filtered(name: str, apply: Callable[..., object], *args: Any, **kwargs: Any) -> object:
    """What the filter gives, if neither what it takes nor what it gives is too large."""
    for value in args:
        _limit(value)
    if name in ("replace", "join") and len(args) > 1:
        _limit_text(_worst(name, *args))
    if name == "date" and (_WIDTH.search(str(args[-1])) or len(str(args[0])) > 64):
        raise _Spent(_("A date is asked for in a form that is not supported."), token=None)
    result = apply(*args, **kwargs)
    _limit(result)
    return result


def _worst(name: str, value: Any, *args: Any) -> int:
    """How long a text is that ``replace`` or ``join`` makes, as it may multiply what it takes."""
    if name == "join":
        items = value if isinstance(value, list | tuple) else [value]
        return sum(len(str(item)) for item in items) + len(items) * len(str(args[0]))
    text, sought = str(value), str(args[0])
    return len(text) + text.count(sought) * len(str(args[1] if len(args) > 1 else ""))


def _limit(value: Any) -> None:
    if isinstance(value, str):
        _limit_text(len(value))
    elif isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise _Spent(_("A number is too large."), token=None)
    elif isinstance(value, list | tuple | dict | range) and len(value) > MAX_ITEMS:
        raise _Spent(_("A list is too long."), token=None)


def _limit_text(length: int) -> None:
    if length > MAX_TEXT:
        raise _Spent(_("A text is too long."), token=None)


def _failed(error: Exception) -> TemplateError:
    what = getattr(error, "message", error)
    return TemplateError(_("The template failed: %(error)s") % {"error": _ended(str(what))})


def _located(error: LiquidError) -> ValidationError:
    """What is wrong and where, as people read it."""
    try:
        where = error.context()
    except ValueError:  # behind the end
        where = None
    if where is None:
        return _invalid(_ended(str(error.message)).replace("%", "%%"))
    what = str(error.message).removesuffix(".")
    return _invalid(_("Line %(line)d, column %(column)d: %(what)s."), where[0], where[1] + 1, what=what)


def _invalid(message: str, line: int = 1, column: int = 1, **params: Any) -> ValidationError:
    return ValidationError(message, "template_invalid", {**params, "line": line, "column": column})


def _ended(sentence: str) -> str:
    return sentence.removesuffix(".") + "."
