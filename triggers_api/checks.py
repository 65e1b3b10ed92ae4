"""System checks of the API's settings, and of components that it could not tell whole; each hint names the fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.utils.module_loading import import_string

from triggers.models import Action, Condition, Event
from triggers.registry import component_types, label
from triggers_api import conf


def register() -> None:
    """Called once the apps are loaded."""
    checks.register(check_settings)
    checks.register(check_fields)


def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """The settings exist and hold what they are meant to, and users can be told apart."""
    wrong = list(_wrong_values())
    more = [] if wrong else [*_classes(), *_component_types(), *_user_field()]
    return [*_unknown_names(), *wrong, *more]


def check_fields(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """No field of a trigger or component is lost behind a name that the API has for something else."""
    from triggers_api.serializers.definitions import KINDS  # once models are there

    return [
        checks.Error(
            f"The API keeps the name of the field {type_}.{name} for itself, and does not tell the field.",
            hint=(
                "Rename the field, or register a serializer for the class that tells it under another name: "
                f"other = …Field(source={name!r})."
            ),
            id="triggers_api.E005",
        )
        for kind in KINDS
        for type_, serializer_class in kind.variants().items()
        for name in _hidden_fields(kind, serializer_class)
    ]


def _hidden_fields(kind: Any, serializer_class: Any) -> Iterator[str]:
    """The class's own fields that its serializer leaves out, without having been told to."""
    meta = serializer_class.Meta
    if meta.model is kind.base or getattr(meta, "fields", None) or getattr(meta, "exclude", None):
        return
    variant_class = kind.variant_class
    kept = {"id", *variant_class._declared_fields, *variant_class.hidden}
    told = {field.source for name, field in serializer_class().fields.items() if name not in kept}
    for field in meta.model._meta.local_fields:
        if field.name in kept and field.name not in told:
            yield field.name


def _wrong_values() -> Iterator[checks.CheckMessage]:
    for name, (is_right, fix) in _RIGHT.items():
        value = getattr(settings, name, conf.DEFAULTS[name])
        if not is_right(value):
            yield checks.Error(f"{name} cannot be {value!r}.", hint=fix, id="triggers_api.E002")


def _is_list_or_none(value: Any) -> bool:
    return value is None or isinstance(value, list | tuple)


_RIGHT: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "TRIGGERS_API_AUTHENTICATION_CLASSES": (
        _is_list_or_none,
        "Write a list of classes or of their dotted paths, or None for those of REST_FRAMEWORK.",
    ),
    "TRIGGERS_API_THROTTLE_CLASSES": (
        _is_list_or_none,
        "Write a list of classes or of their dotted paths, or None for those of REST_FRAMEWORK.",
    ),
    "TRIGGERS_API_COMPONENT_TYPES": (
        lambda value: value is None or isinstance(value, list | tuple | set | frozenset),
        'Write a list of types, such as ["triggers.ActionCountCondition"], or None for all.',
    ),
    "TRIGGERS_API_CREATE_USERS": (
        lambda value: value is None or isinstance(value, str) or callable(value),
        "Write the dotted path of a function that takes names and makes the users who do not exist, or None.",
    ),
    "TRIGGERS_API_PAGE_SIZE": (
        lambda value: value is None or (type(value) is int and 1 <= value <= conf.MAX_PAGE_SIZE),
        f"Write a number from 1 to {conf.MAX_PAGE_SIZE}, or None for the page size of REST_FRAMEWORK.",
    ),
    "TRIGGERS_API_USER_FIELD": (
        lambda value: isinstance(value, str),
        'Write the name of a field, such as "email", or "pk".',
    ),
}


def _classes() -> Iterator[checks.CheckMessage]:
    for name in ("TRIGGERS_API_AUTHENTICATION_CLASSES", "TRIGGERS_API_THROTTLE_CLASSES"):
        for path in getattr(settings, name, None) or ():
            try:
                found = import_string(path) if isinstance(path, str) else path
            except ImportError as error:
                yield checks.Error(f"{name}: {error}.", hint="Correct the path.", id="triggers_api.E003")
                continue
            if not isinstance(found, type):
                yield checks.Error(f"{name}: {path!r} is no class.", hint="Name a class.", id="triggers_api.E003")
    try:
        conf.create_users()
    except ImportError as error:
        hint = "Correct the path."
        yield checks.Error(f"TRIGGERS_API_CREATE_USERS: {error}.", hint=hint, id="triggers_api.E003")


def _component_types() -> Iterator[checks.CheckMessage]:
    known = [label(model) for kind in (Event, Condition, Action) for model in component_types(kind)]
    for type_ in conf.component_types() or ():
        if type_ not in known:
            close = get_close_matches(str(type_), known, n=1)
            hint = f"Did you mean {close[0]}?" if close else "Install the app that defines it, or leave it out."
            message = f"TRIGGERS_API_COMPONENT_TYPES: no component of the type {type_!r} is installed."
            yield checks.Error(message, hint=hint, id="triggers_api.E004")


def _unknown_names() -> Iterator[checks.CheckMessage]:
    for name in dir(settings):
        if name.startswith(conf.PREFIX) and name not in conf.DEFAULTS:
            close = get_close_matches(name, conf.DEFAULTS, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"The settings are {', '.join(sorted(conf.DEFAULTS))}."
            yield checks.Warning(f"There is no setting {name}.", hint=hint, id="triggers_api.W001")


def _user_field() -> Iterator[checks.CheckMessage]:
    options: Any = get_user_model()._meta
    *relations, name = conf.user_field().split("__")
    field: Any = None
    try:
        for relation in relations:
            options = _one_to_one(options, relation)
        field = options.pk if name == "pk" else options.get_field(name)
    except FieldDoesNotExist:
        name = conf.user_field()
    if field not in options.concrete_fields:
        fields = ", ".join(field.name for field in options.fields if field.unique)
        yield checks.Error(
            f"TRIGGERS_API_USER_FIELD: {options.label} has no field “{name}”.",
            hint=f"Name a field by which users are told apart, such as {fields}.",
            id="triggers_api.E001",
        )
    elif not (field.unique or any(names == (name,) for names in _unique_together(options))):
        yield checks.Warning(
            f"TRIGGERS_API_USER_FIELD: several users may have the same {name}; it names none of them then.",
            hint=f"Make {options.label}.{name} unique.",
            id="triggers_api.W002",
        )


def _one_to_one(options: Any, name: str) -> Any:
    """What there is of the row that each row has one of, at most. Raises FieldDoesNotExist."""
    relation = options.get_field(name)
    if not relation.one_to_one:
        raise FieldDoesNotExist
    return relation.related_model._meta


def _unique_together(options: Any) -> Iterator[tuple[str, ...]]:
    for constraint in options.total_unique_constraints:
        yield tuple(constraint.fields)
