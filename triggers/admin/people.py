"""Users in searches and lists, whatever the project's user model."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db.models import CharField, Q, QuerySet, TextField

from triggers import clock
from triggers.evaluation import users


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
