"""Users in searches and lists, whatever the project's user model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db.models import CharField, Q, QuerySet, TextField, Value
from django.db.models.functions import Upper

from triggers import clock
from triggers.audiences import user_key
from triggers.evaluation import users
from triggers.exceptions import UserInvalid


def name_fields() -> list[str]:
    """The fields of the user model that hold a user's name and e-mail address, as far as it has them as text."""
    model: Any = get_user_model()
    names = []
    for name in dict.fromkeys((model.USERNAME_FIELD, model.get_email_field_name())):
        try:
            field = model._meta.get_field(name)
        except FieldDoesNotExist:
            continue
        if isinstance(field, CharField | TextField):
            names.append(name)
    return names


def called(term: str) -> QuerySet[Any]:
    """The users whose whole name or e-mail address this is, in whatever case."""
    conditions = Q(pk__in=[])
    for name in name_fields():
        conditions |= Q(**{f"{name}__iexact": term})
    return users(clock.alias()).filter(conditions)


def meant_by(names: Sequence[str]) -> dict[str, list[Any]]:
    """
    For each of the names the users who have it as key, user name or e-mail address; if none has, those who have it
    in another case. Takes two queries, however many names there are.
    """
    keys = {name: key for name in names if (key := _key(name)) is not None}
    exactly = Q(pk__in=list(keys.values()))
    for field in name_fields():
        exactly |= Q(**{f"{field}__in": names})
    found: dict[str, list[Any]] = {name: [] for name in names}
    for user in users(clock.alias()).filter(exactly).order_by("pk"):
        texts = _texts(user)
        for name in names:
            if keys.get(name) == user.pk or name in texts:
                found[name].append(user)
    rest = [name for name in names if not found[name]]
    if rest:
        for user in _in_any_case(rest):
            texts = {text.lower() for text in _texts(user)}
            for name in rest:
                if name.lower() in texts:
                    found[name].append(user)
    return found


def _in_any_case(names: Sequence[str]) -> QuerySet[Any]:
    fields = name_fields()
    everybody: QuerySet[Any] = users(clock.alias()).alias(**{f"upper_{field}": Upper(field) for field in fields})
    condition = Q(pk__in=[])
    for field in fields:
        condition |= Q(**{f"upper_{field}__in": [Upper(Value(name)) for name in names]})
    return everybody.filter(condition).order_by("pk")


def _texts(user: Any) -> set[str]:
    """The user's name and e-mail address."""
    return {str(getattr(user, field) or "") for field in name_fields()}


def _key(name: str) -> Any:
    try:
        return user_key(name)
    except UserInvalid:
        return None
