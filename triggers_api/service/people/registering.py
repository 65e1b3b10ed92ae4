"""Persons made, changed and deleted. None of them can sign in; who can is left alone."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.utils import timezone

from triggers import clock
from triggers_api.service.people.models import KEY, Person


class MaySignIn(Exception):
    """The user is more than somebody events happen to."""


def register(keys: Collection[str]) -> None:
    """There is a person of each of these keys: who is not known yet is made, without anything but the key."""
    missing = _missing(keys)
    if not missing:
        return
    try:
        with transaction.atomic(using=clock.alias()):
            _make(missing)
    except IntegrityError:  # others have made some of them meanwhile
        for key in _missing(keys):
            try:
                with transaction.atomic(using=clock.alias()):
                    _make([key])
            except IntegrityError:
                continue


def put(key: str, *, email: str, **fields: Any) -> tuple[Person, bool]:
    """
    The person of that key is as the fields say, and whether that is a new one. The key was validated.

    Raises MaySignIn for who can sign in.
    """
    with transaction.atomic(using=clock.alias()):
        is_new = bool(_missing([key]))
        if is_new:
            register([key])
        person = find(key, lock=True)
        refuse_users_of_the_service(person)
        person.user.email = email
        person.user.save(update_fields=["email"])
        for name, value in fields.items():
            setattr(person, name, value)
        person.save()
    return person, is_new


def find(key: str, *, lock: bool = False) -> Person:
    """The person, with the user. Raises Person.DoesNotExist."""
    if not re.fullmatch(KEY, key):  # not every text can be looked up
        raise Person.DoesNotExist
    persons = Person.objects.using(clock.alias()).select_related("user")
    return (persons.select_for_update() if lock else persons).get(key=key)


def delete(key: str) -> None:
    """The person is gone, with their user and all that is kept of them. Raises MaySignIn and Person.DoesNotExist."""
    with transaction.atomic(using=clock.alias()):
        person = find(key, lock=True)
        refuse_users_of_the_service(person)
        person.user.delete()


def refuse_users_of_the_service(person: Person) -> None:
    """Raise MaySignIn for who has a password, rights in the admin, or keys of the API."""
    user: Any = person.user
    keys = getattr(user, "trigger_api_keys", None)
    if user.has_usable_password() or user.is_staff or user.is_superuser or (keys is not None and keys.exists()):
        raise MaySignIn


def _missing(keys: Collection[str]) -> list[str]:
    known = set(Person.objects.using(clock.alias()).filter(key__in=keys).values_list("key", flat=True))
    # In one order, whoever asks: of two who make the same people none waits for the other in a circle.
    return sorted(set(keys) - known)


def user_of(key: str) -> Any:
    """A new user for the person of that key, who cannot sign in."""
    (user,) = _users_of([key])
    return user


def _make(keys: Collection[str]) -> None:
    now = timezone.now()
    Person.objects.using(clock.alias()).bulk_create(
        Person(user=user, key=key, created_at=now, updated_at=now)
        for user, key in zip(_users_of(keys), keys, strict=True)
    )


def _users_of(keys: Collection[str]) -> list[Any]:
    users: Any = get_user_model()._default_manager.using(clock.alias())
    field: Any = get_user_model()._meta.get_field(get_user_model().USERNAME_FIELD)
    taken = set(users.filter(**{f"{field.name}__in": keys}).values_list(field.name, flat=True))
    made: list[Any] = users.bulk_create(
        get_user_model()(
            password=make_password(None),
            **{field.name: key if len(key) <= field.max_length and key not in taken else f"person-{uuid4()}"},
        )
        for key in keys
    )
    return made
