"""
Expressions of the Common Expression Language (CEL): one question about plain values, answered in bounded time.

Google's evaluator takes them: it checks types, knows no side effects and no access to objects, limits length,
nesting and the number of iterations, and its regular expressions take linear time. What an expression can make of
the values at worst is calculated by :mod:`triggers.contrib.costs`, before it is saved and before it is evaluated.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, ClassVar, Final

from cel_expr_python import cel
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from triggers.contrib import costs
from triggers.contrib.fields import CheckedTextField
from triggers.contrib.variables import NAMES
from triggers.exceptions import PermanentError

MAX_LENGTH: Final = 2000
#: How much of what was found is told.
MAX_OBSERVED: Final = 8

_WHERE: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_STATUS: Final = re.compile(r"^[A-Z_]+: ")
#: What is more than plain JSON: a moment. Moments within other values are text.
_TYPES: Final = {"now": cel.Type.TIMESTAMP}
_INT64: Final = range(-(2**63), 2**63)


class ExpressionError(PermanentError):
    """The expression cannot be evaluated with these values."""

    code: ClassVar[str] = "expression_failed"


class Expression:
    """A CEL expression that has been compiled for variables of these names."""

    def __init__(self, source: str, names: Collection[str]) -> None:
        environment = cel.NewEnv(variables={name: _TYPES.get(name, cel.Type.DYN) for name in names})
        self._compiled = environment.compile(source)
        root = costs.parse(self._compiled.serialize())
        self.cost: Callable[[Mapping[str, costs.Bound]], costs.Bound] = root.bound
        #: Those of the variables that it reads.
        self.uses: frozenset[str] = root.names & frozenset(names)
        #: What of them it reads, without what is only on the way there.
        self.paths = [path for path in root.paths if not any(o != path and o[: len(path)] == path for o in root.paths)]
        #: Whether its answer can be true or false, as far as types say.
        self.is_question: bool = self._compiled.return_type() in (cel.Type.BOOL, cel.Type.DYN)

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        values = {name: _value(variables[name]) for name in self.uses}
        if "now" in values:
            values["now"] = variables["now"]
        cost = self.cost({name: costs.measured(value) for name, value in values.items()}).cost
        if cost > costs.LIMIT:
            raise ExpressionError(_("The expression could take too long with values of this size."))
        result = self._compiled.eval(data=values)
        if result.type() == cel.Type.ERROR:
            raise ExpressionError(_("The expression failed: %(error)s.") % {"error": _sentence(result.plain_value())})
        return result.plain_value()


@lru_cache(maxsize=512)
def compiled(source: str, names: tuple[str, ...] = NAMES) -> Expression:
    """
    The expression, made ready once per process.

    Raises ValidationError, which says where it is wrong: its ``params`` have ``line`` and ``column``, from 1.
    """
    if len(source) > MAX_LENGTH:
        raise _invalid(_("The expression has more than %(limit)d characters.") % {"limit": MAX_LENGTH})
    if "\x00" in source or not _is_text(source):
        raise _invalid(_("The expression holds a character that is none."))
    try:
        expression = Expression(source, names)
    except costs.Refused as error:
        raise _invalid(str(error)) from error
    except RuntimeError as error:  # what the evaluator raises, whatever is wrong
        raise _located(str(error)) from error
    if expression.cost(dict.fromkeys(names, costs.USUAL)).cost > costs.LIMIT:
        raise _invalid(_("The expression could take too long: it loops within loops, or multiplies what it is given."))
    return expression


def check(source: str, names: Collection[str] = NAMES, *, question: bool = False) -> None:
    """Raise ValidationError, pointing at line and column, unless the expression can be evaluated."""
    expression = compiled(source, tuple(names))
    if question and not expression.is_question:
        raise _invalid(_("The expression must be one that is true or false, such as a comparison."))


def evaluate(source: str, variables: Mapping[str, Any]) -> Any:
    """
    What the expression says of the variables, within a bounded time and a bounded memory.

    Raises ExpressionError, with a sentence, if it says nothing.
    """
    try:
        return _saved(source, variables).evaluate(variables)
    except (RuntimeError, RecursionError, ValueError, OverflowError, TypeError) as error:
        raise ExpressionError(_("The expression failed: %(error)s.") % {"error": _sentence(str(error))}) from error


def uses(source: str, names: Collection[str] = NAMES) -> frozenset[str]:
    """Those of the names that the expression reads. Raises ExpressionError if it is none."""
    return _saved(source, names).uses


def observed(source: str, variables: Mapping[str, Any]) -> str:
    """What the expression has found, for people: ``context.amount is 50; context.coupon is missing``."""
    paths = [path for path in _saved(source, variables).paths if path[0] in variables]
    return "; ".join(_found(path, _value(variables)) for path in paths[:MAX_OBSERVED])


def _saved(source: str, names: Iterable[str]) -> Expression:
    try:
        return compiled(source, tuple(names))
    except ValidationError as error:
        raise ExpressionError(" ".join(error.messages)) from error


def _found(path: tuple[str, ...], variables: Any) -> str:
    name, value = ".".join(path), variables
    for part in path:
        if not isinstance(value, dict) or part not in value:
            return _("%(name)s is missing") % {"name": name}
        value = value[part]
    text = json.dumps(value, ensure_ascii=False)
    return _("%(name)s is %(value)s") % {"name": name, "value": text if len(text) <= 100 else f"{text[:99]}…"}


class ExpressionField(CheckedTextField):
    """The text of a CEL expression that is true or false, compiled when it is validated."""

    longest = MAX_LENGTH
    check_text = staticmethod(partial(check, question=True))


def _value(value: Any) -> Any:
    """The plain value as one of CEL: moments are text, which ``timestamp()`` takes; decimals are doubles."""
    if isinstance(value, dict):
        return {key: _value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_value(item) for item in value]
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return value if value in _INT64 else float(value)
    if isinstance(value, Decimal | float):
        return float(value)
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def _is_text(source: str) -> bool:
    try:
        source.encode()
    except UnicodeEncodeError:
        return False
    return True


def _located(message: str) -> ValidationError:
    """What the evaluator says of the first place that is wrong, as people read it."""
    found = _WHERE.search(message)
    if found is None or int(found[1]) < 1:
        return _invalid(_("The expression is nested too deeply, or too long."))
    what = found[3].removesuffix(" [INVALID_ARGUMENT]").removesuffix(" (in container '')")
    what = what.partition(" expecting {")[0]
    return _invalid(_("Line %(line)d, column %(column)d: %(what)s."), what, int(found[1]), int(found[2]))


def _invalid(message: str, what: str = "", line: int = 1, column: int = 1) -> ValidationError:
    return ValidationError(message, "expression_invalid", {"what": what, "line": line, "column": column})


def _sentence(error: str) -> str:
    return _STATUS.sub("", error).removesuffix(" [INTERNAL]").removesuffix(".")
