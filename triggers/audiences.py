"""To whom an event happened: users named one by one, a queryset, or an audience that has a name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Final, TypeVar

from django.contrib.auth import get_user_model
from django.core.exceptions import EmptyResultSet, ValidationError
from django.db.models import Exists, Model, Q, QuerySet
from django.utils.module_loading import import_string

from triggers import conf
from triggers.evaluation import guarded, is_outage, users
from triggers.exceptions import AudienceError, AudienceInvalid, AudienceUnknown, UserInvalid

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

#: The audience that is built in.
EVERYBODY: Final = "all"


class NamedUsers:
    """Users named by instance or primary key, each once, in the order given."""

    def __init__(self, named: Iterable[Any], using: str) -> None:
        self._using = using
        self._proven: set[Any] = set()
        keys: dict[Any, None] = {}
        for item in named:
            key = user_key(item)
            keys[key] = None
            if isinstance(item, Model):
                self._proven.add(key)
        self.keys: Final = list(keys)

    def prove(self, keys: Iterable[Any]) -> None:
        """These users were found: they need not be looked up."""
        self._proven.update(keys)

    @cached_property
    def known(self) -> list[Any]:
        """Those who exist. Instances are taken at their word."""
        doubtful = [key for key in self.keys if key not in self._proven]
        found = set(self._proven)
        if doubtful:
            found |= set(users(self._using).filter(pk__in=doubtful).values_list("pk", flat=True))
        return [key for key in self.keys if key in found]

    @property
    def unknown(self) -> list[Any]:
        known = set(self.known)
        return [key for key in self.keys if key not in known]

    def as_json(self) -> Any:
        return sorted(str(key) for key in self.keys)


class QueriedUsers:
    """Everybody whom a queryset of users answers."""

    def __init__(self, queryset: QuerySet[Any], using: str) -> None:
        self.queryset: Final = queryset.using(using)

    def as_json(self) -> Any:
        try:
            return str(self.queryset.query)
        except EmptyResultSet:
            return []


class NamedAudience:
    """Everybody in the audience of that name, read on a worker."""

    def __init__(self, name: str) -> None:
        self.name: Final = _known(name)

    def as_json(self) -> Any:
        return {"audience": self.name}


Audience = NamedUsers | QueriedUsers | NamedAudience


def audience_names() -> list[str]:
    """The names that ``fire(…, audience=…)`` takes."""
    return [EVERYBODY, *sorted(conf.audiences())]


def queryset_of(name: str, using: str) -> QuerySet[Any]:
    """
    The users of the audience of that name.

    Raises AudienceUnknown, and AudienceError if the project's callable raises or answers no queryset of users.
    """
    if _known(name) == EVERYBODY:
        return users(using)
    queryset = _readable(name, lambda: import_string(conf.audiences()[name])(), using)
    if not isinstance(queryset, QuerySet) or not issubclass(queryset.model, get_user_model()):
        raise AudienceError(f"The audience “{name}” is no queryset of users, but {type(queryset).__name__}.")
    return queryset.using(using)


def keys_in(name: str, using: str, *, limit: int, after: Any = None, where: Exists | Q | None = None) -> list[Any]:
    """
    The first primary keys of the audience's users, or the first ``after`` that one, each once, in their order; only
    of those who are ``where``.

    Raises AudienceUnknown and AudienceError.
    """
    queryset = filterable(queryset_of(name, using), using)
    if after is not None:
        queryset = queryset.filter(pk__gt=after)
    if where is not None:
        queryset = queryset.filter(where)
    keys = queryset.order_by("pk").values_list("pk", flat=True).distinct()[:limit]
    return _readable(name, lambda: list(keys), using)


def filterable(queryset: QuerySet[Any], using: str) -> QuerySet[Any]:
    """The same users by a queryset that takes further filters: one that was cut, combined or ranked takes none."""
    query = queryset.query
    if query.is_sliced or query.combinator or query.distinct or query.where.contains_over_clause:
        return users(using).filter(pk__in=queryset.values("pk"))
    return queryset


def audience_of(named: Any, audience: str | None, using: str) -> Audience:
    """
    The audience that ``fire`` was given: users, or the name of an audience.

    Raises AudienceInvalid for both or neither, AudienceUnknown, UserInvalid.
    """
    if (named is None) == (audience is None):
        raise AudienceInvalid("Give either users or an audience" + (", not both." if audience is not None else "."))
    return _audience_of_users(named, using) if audience is None else NamedAudience(audience)


def _audience_of_users(named: Any, using: str) -> NamedUsers | QueriedUsers:
    """
    The audience meant by a user, a primary key, an iterable of either, or a queryset of users.

    Raises UserInvalid for a value that cannot be a user's primary key.
    """
    if isinstance(named, NamedUsers):
        return named
    if isinstance(named, QuerySet):
        if not issubclass(named.model, get_user_model()):
            raise UserInvalid(f"The queryset answers {named.model._meta.label}, not users.")
        return QueriedUsers(named, using)
    if isinstance(named, Iterable) and not isinstance(named, str | bytes | Model):
        return NamedUsers(named, using)
    return NamedUsers([named], using)


def _readable(name: str, read: Callable[[], Result], using: str) -> Result:
    try:
        return guarded(read, using)
    except Exception as error:
        if is_outage(error, using):
            raise
        logger.warning("The audience %s could not be read", name, exc_info=error)
        raise AudienceError(f"The audience “{name}” could not be read: {type(error).__name__}.") from error


def _known(name: Any) -> str:
    if not isinstance(name, str) or name not in audience_names():
        raise AudienceUnknown(f"There is no audience {name!r:.80}; there are {', '.join(audience_names())}.")
    return name


def user_key(named: Any) -> Any:
    """The primary key of a user given as instance, key, or key in text."""
    field = get_user_model()._meta.pk
    if isinstance(named, Model):
        if not isinstance(named, get_user_model()) or named.pk is None:
            raise UserInvalid(f"{type(named).__name__} with key {named.pk!r} is not a saved user.")
        return named.pk
    try:
        if named is None or isinstance(named, bool | float):
            raise ValidationError("not a key")
        key = field.to_python(named)
        field.run_validators(key)
        if isinstance(key, int) and str(key) != str(named):
            raise ValidationError("not a key")  # int() takes more than numbers: “1_0”, “ 1 ”
    except (ValidationError, ValueError, TypeError, OverflowError):
        raise UserInvalid(f"{named!r} cannot be the primary key of a user.") from None
    return key


def stored_key(key: Any) -> Any:
    """The key as JSON holds it; :func:`user_key` turns it back."""
    return key if isinstance(key, int | str) else str(key)
