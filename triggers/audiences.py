"""To whom an event happened: users named one by one, or a queryset."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import EmptyResultSet, ValidationError
from django.db.models import Model, QuerySet
from django.utils.module_loading import import_string

from triggers import conf
from triggers.evaluation import users
from triggers.exceptions import AudienceInvalid, AudienceUnknown, UserInvalid

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


Audience = NamedUsers | QueriedUsers


def audience_names() -> list[str]:
    """The names that ``fire(…, audience=…)`` takes."""
    return [EVERYBODY, *sorted(conf.audiences())]


def queryset_of(name: str, using: str) -> QuerySet[Any]:
    """
    The users of the audience of that name.

    Raises AudienceUnknown, and whatever the project's callable raises; TypeError if it answers no queryset of users.
    """
    if name == EVERYBODY:
        return users(using)
    queryset = import_string(conf.audiences()[_known(name)])()
    if not (isinstance(queryset, QuerySet) and issubclass(queryset.model, get_user_model())):
        raise TypeError(f"The audience “{name}” must be a queryset of users, not {type(queryset).__name__}.")
    return queryset.using(using)


def audience_of(named: Any, audience: str | None, using: str) -> Audience:
    """
    The audience that ``fire`` was given: users, or the name of an audience.

    Raises AudienceInvalid for both or neither, AudienceUnknown, UserInvalid.
    """
    if (named is None) == (audience is None):
        raise AudienceInvalid("Give either users or an audience" + (", not both." if audience is not None else "."))
    return named_users(named, using) if audience is None else QueriedUsers(queryset_of(audience, using), using)


def named_users(named: Any, using: str) -> NamedUsers | QueriedUsers:
    """
    The audience meant by a user, a primary key, an iterable of either, or a queryset of users.

    Raises UserInvalid for a value that cannot be a user's primary key.
    """
    if isinstance(named, QuerySet):
        if not issubclass(named.model, get_user_model()):
            raise UserInvalid(f"The queryset answers {named.model._meta.label}, not users.")
        return QueriedUsers(named, using)
    if isinstance(named, Iterable) and not isinstance(named, str | bytes | Model):
        return NamedUsers(named, using)
    return NamedUsers([named], using)


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
