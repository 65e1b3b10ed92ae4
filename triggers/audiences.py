"""To whom an event happened: users named one by one, or a queryset."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import EmptyResultSet, ValidationError
from django.db.models import Model, QuerySet

from triggers.evaluation import users
from triggers.exceptions import UserInvalid


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


def audience(named: Any, using: str) -> Audience:
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
