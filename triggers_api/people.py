"""
Users as callers name them: by primary key, or by the field of ``TRIGGERS_API_USER_FIELD``, which may be that of a row
that each user has one of, as ``"profile__key"``. A name is one text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import F, Field

from triggers import clock
from triggers.audiences import NamedUsers, user_key
from triggers.evaluation import users
from triggers.exceptions import UserInvalid
from triggers_api import conf


class People(NamedUsers):
    """
    Users as one request named them: each once, by the :func:`value` of the field. One that several have names nobody.

    The library compares repeats of a request by the names, so that one is recognized though somebody has got or lost
    a name meanwhile.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        using = clock.alias()
        self._values = list(dict.fromkeys(values))
        if naming_field().primary_key:
            super().__init__(self._values, using)
            return
        name = conf.user_field()
        found = list(users(using).filter(**{f"{name}__in": self._values}).values_list(name, "pk"))
        times = Counter(value for value, _ in found)
        self._keys = {value: key for value, key in found if times[value] == 1}
        super().__init__([self._keys[value] for value in self._values if value in self._keys], using)
        self._proven.update(self.keys)

    @property
    def unknown(self) -> list[Any]:
        return super().unknown if naming_field().primary_key else [v for v in self._values if v not in self._keys]

    @property
    def names(self) -> list[str]:
        return [str(value) for value in self._values]

    def as_json(self) -> Any:
        return sorted(self.names)


def value(name: Any) -> Any:
    """What the name, a text or an integer, stands for in the field. Raises UserInvalid for what cannot be there."""
    field = naming_field()
    if field.primary_key:
        return user_key(name)
    try:
        if not isinstance(name, str):
            raise ValidationError("not a text")
        found = field.to_python(name)
        if found in field.empty_values:
            raise ValidationError("empty")
        field.run_validators(found)
    except (ValidationError, ValueError, TypeError, OverflowError):
        raise UserInvalid(f"{name!r} cannot be the {field.name} of a user.") from None
    return found


def names(keys: Iterable[Any]) -> Callable[[Any], str]:
    """What tells these users' names by their primary keys: "" for who is gone or has none. One query at most."""
    field = naming_field()
    if field.primary_key:
        return str
    rows = users(clock.alias()).filter(pk__in=set(keys)).values_list("pk", conf.user_field())
    found = {key: "" if value is None else str(value) for key, value in rows.iterator()}
    return lambda key: found.get(key, "")


def found(values: Iterable[Any]) -> dict[Any, Any]:
    """The user of each :func:`value` that one user has, and not several."""
    named = users(clock.alias()).annotate(_named=F(conf.user_field()))
    rows = list(named.filter(_named__in=list(values)))
    times = Counter(row._named for row in rows)
    return {row._named: row for row in rows if times[row._named] == 1}


def name(user: Any) -> str:
    """The name of the user; "" if they have none."""
    try:
        return str(attrgetter(conf.user_field().replace("__", "."))(user))
    except ObjectDoesNotExist:
        return ""


def chosen(value: Any) -> Mapping[str, Any]:
    """The filter for what concerns the user of that :func:`value`."""
    return {f"user__{conf.user_field()}": value}


def naming_field() -> Field[Any, Any]:
    """The field by which callers name users: of the user model, or of a row that each user has one of."""
    options: Any = get_user_model()._meta
    *relations, name = conf.user_field().split("__")
    for relation in relations:
        options = options.get_field(relation).related_model._meta
    field: Any = options.pk if name == "pk" else options.get_field(name)
    return cast("Field[Any, Any]", field)
