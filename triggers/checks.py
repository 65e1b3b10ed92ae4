"""System checks; each hint names the fix."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final

from django.apps import AppConfig, apps
from django.conf import settings
from django.core import checks
from django.db import connections
from django.utils.module_loading import import_string

from triggers import clock, conf, schemas
from triggers.audiences import EVERYBODY
from triggers.engines.checks import check_engines, check_engines_of_triggers
from triggers.models import Action, AudienceChunk, Condition, Event, Trigger


def register() -> None:
    """Called once the apps are loaded."""
    for check in (check_settings, check_apps, check_components, check_engines):
        checks.register(check, conf.CHECKS)
    for check in (check_database, check_engines_of_triggers):
        checks.register(check, conf.CHECKS, checks.Tags.database)


def check_components(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """Every component class can be performed, configured and told from the others."""
    models = [
        model
        for model in apps.get_models()
        if issubclass(model, Trigger | Event | Condition | Action)
        and (not app_configs or model._meta.app_config in app_configs)
    ]
    messages: list[checks.CheckMessage] = []
    for model in models:
        messages += [*_reserved_fields(model), *_overridden(model), *_secret_fields(model)]
        if issubclass(model, Event):
            messages += _context_schema(model)
        if issubclass(model, Action):
            messages += [*_async_methods(model), *_attempts(model)]
    return messages + _same_names()


def _same_names() -> list[checks.CheckMessage]:
    """Two classes of one kind that people cannot tell apart in the admin."""
    messages: list[checks.CheckMessage] = []
    for kind in (Event, Condition, Action):
        by_name: dict[str, list[str]] = {}
        for model in apps.get_models():
            if issubclass(model, kind) and model is not kind:
                by_name.setdefault(str(model._meta.verbose_name), []).append(model._meta.label)
        messages += [
            checks.Warning(
                f"{' and '.join(labels)} are both called “{name}” in the admin.",
                hint="Give one of them another Meta.verbose_name.",
                id="triggers.W008",
            )
            for name, labels in by_name.items()
            if len(labels) > 1
        ]
    return messages


def _async_methods(model: type[Action]) -> Iterator[checks.CheckMessage]:
    for name in ("perform", "perform_many"):
        if inspect.iscoroutinefunction(getattr(model, name)):
            yield checks.Error(
                f"{model._meta.label}.{name} is async; workers call it as a plain method.",
                hint=f"Write “def {name}”, and call async code in it by asgiref.sync.async_to_sync.",
                obj=model,
                id="triggers.E001",
            )


def _attempts(model: type[Action]) -> Iterator[checks.CheckMessage]:
    if model.max_attempts < 1:
        yield checks.Error(
            f"{model._meta.label}.max_attempts is {model.max_attempts}: the action would never be tried.",
            hint="Set it to 1 or more.",
            obj=model,
            id="triggers.E002",
        )


def _context_schema(model: type[Event]) -> Iterator[checks.CheckMessage]:
    if model.context_schema is not None:
        for problem, hint in schemas.problems_of(model.context_schema):
            yield checks.Error(
                f"{model._meta.label}.context_schema {problem}", hint=hint, obj=model, id="triggers.E008"
            )


def _secret_fields(model: type[Trigger | Event | Condition | Action]) -> Iterator[checks.CheckMessage]:
    if issubclass(model, Trigger):
        return
    own = {field.name for field in model._meta.concrete_fields if not field.primary_key and not field.is_relation}
    if unknown := sorted(set(model.secret_fields) - own):
        yield checks.Error(
            f"{model._meta.label}.secret_fields names what is no column of its own: {', '.join(unknown)}.",
            hint='Name fields of the class, as in secret_fields = ("token",).',
            obj=model,
            id="triggers.E009",
        )


def _reserved_fields(model: type[Trigger | Event | Condition | Action]) -> Iterator[checks.CheckMessage]:
    base = next(base for base in _RESERVED if issubclass(model, base))
    if model is base:
        return
    for field in model._meta.local_fields:
        if field.name in _RESERVED[base]:
            yield checks.Error(
                f"The field {model._meta.label}.{field.name} hides what every {base.__name__} has under that name.",
                hint=f"Rename it; “db_column={field.name!r}” keeps the column.",
                obj=model,
                id="triggers.E003",
            )


#: Attributes that a field of the same name would hide.
_RESERVED: Final[dict[type[Any], tuple[str, ...]]] = {
    Trigger: (),
    Event: ("fired", "context_schema", "secret_fields", "kept_secrets"),
    Condition: ("code", "requirement", "secret_fields", "kept_secrets"),
    Action: ("atomic", "max_attempts", "backoff", "timeout", "secret_fields", "kept_secrets", "awaited_types"),
}


#: Methods that dj-triggers 1 called for every firing, and what takes their place.
_LEGACY: Final[dict[type[Any], dict[str, str]]] = {
    Trigger: {
        "on_event": "Action.perform, or Condition.allows for what decides",
        "is_active": "is_enabled, or filter_user_queryset",
    },
    Event: {
        "fire": "should_be_fired and get_user_context",
        "fire_single": "should_be_fired and get_user_context",
        "handle": "get_user_context",
    },
}


def _overridden(model: type[Trigger | Event | Condition | Action]) -> Iterator[checks.CheckMessage]:
    for base, methods in _LEGACY.items():
        for name, instead in methods.items():
            if issubclass(model, base) and getattr(model, name) is not getattr(base, name):
                yield checks.Warning(
                    f"{model._meta.label} overrides {name}, which triggers.fire and its workers do not call.",
                    hint=f"Move what it does to {instead}; docs/upgrade.md shows how.",
                    obj=model,
                    id="triggers.W001",
                )


def check_settings(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """The settings exist and make sense together."""
    messages: list[checks.CheckMessage] = []
    for name in dir(settings):
        if name.startswith(conf.PREFIX) and name not in conf.KNOWN and not name.startswith(conf.API_PREFIX):
            close = get_close_matches(name, conf.KNOWN, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"The settings are {', '.join(sorted(conf.KNOWN))}."
            messages.append(checks.Warning(f"There is no setting {name}.", hint=hint, id="triggers.W002"))
    for name, default in conf.DEFAULTS.items():
        messages += _value(name, getattr(settings, name, default), default)
    if not messages and conf.sweep_interval() > conf.lease():
        messages.append(
            checks.Warning(
                "TRIGGERS_SWEEP_INTERVAL is longer than TRIGGERS_LEASE: abandoned runs wait for the sweep.",
                hint="Make the interval a small part of the lease.",
                id="triggers.W003",
            )
        )
    return messages


def _value(name: str, value: Any, default: Any) -> Iterator[checks.CheckMessage]:
    if value is None and name in conf.MAY_BE_NONE:
        return
    if isinstance(default, list):  # of what may be secrets: the value is not shown
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            hint = f'Write {name} = ["…"].'
            yield checks.Error(f"{name} must be a list of texts, none of them blank.", hint=hint, id="triggers.E004")
    elif type(value) is not type(default):
        hint = f"Write {name} = {_example(default)}."
        yield checks.Error(f"{name} must be a {type(default).__name__}, not {value!r}.", hint=hint, id="triggers.E004")
    elif name in _CONTENTS:
        yield from _CONTENTS[name](value)
    elif not isinstance(value, bool) and value <= type(default)():
        wanted, hint = ("not be blank", "Name something.") if value == "" else ("be greater than zero", "Raise it.")
        yield checks.Error(f"{name} must {wanted}.", hint=hint, id="triggers.E005")


def _audiences(audiences: dict[Any, Any]) -> Iterator[checks.CheckMessage]:
    for name, path in audiences.items():
        problem = _problem_of_name(name) or _problem_of_path(path)
        if problem is not None:
            message, hint = problem
            yield checks.Error(f"TRIGGERS_AUDIENCES[{name!r}] {message}", hint=hint, id="triggers.E007")


def _user_fields(fields: dict[Any, Any]) -> Iterator[checks.CheckMessage]:
    for name, path in fields.items():
        if not (isinstance(name, str) and name.isidentifier() and isinstance(path, str) and path):
            yield checks.Error(
                f"TRIGGERS_USER_FIELDS[{name!r}] is {path!r}, not a dotted path.",
                hint='Write names and the dotted paths of attributes of users, as in {"city": "profile.city"}.',
                id="triggers.E012",
            )


_CONTENTS: dict[str, Callable[[dict[Any, Any]], Iterator[checks.CheckMessage]]] = {
    "TRIGGERS_AUDIENCES": _audiences,
    "TRIGGERS_USER_FIELDS": _user_fields,
}


def _problem_of_name(name: Any) -> tuple[str, str] | None:
    longest = AudienceChunk.MAX_NAME_LENGTH
    if not isinstance(name, str) or not 0 < len(name) <= longest:
        return "has no usable name.", f"Name it by a text of 1 to {longest} characters."
    if name == EVERYBODY:
        return "is built in: it is everybody.", "Give yours another name."
    return None


def _problem_of_path(path: Any) -> tuple[str, str] | None:
    hint = "Write the dotted path of a callable without arguments that returns a queryset of users."
    if not isinstance(path, str):
        return f"is {path!r}, not a dotted path.", hint
    try:
        found = import_string(path)
    except Exception as error:
        return f"cannot be imported from {path}: {error}", f"Correct the path. {hint}"
    return None if callable(found) else (f"is {path}, which cannot be called.", hint)


def _example(default: Any) -> str:
    return f"timedelta(seconds={default.total_seconds():g})" if isinstance(default, timedelta) else repr(default)


def check_apps(app_configs: Sequence[AppConfig] | None, **_: Any) -> list[checks.CheckMessage]:
    """What triggers needs is installed."""
    missing = [app for app in ("polymorphic", "django.contrib.contenttypes") if not apps.is_installed(app)]
    return [
        checks.Error(
            f"triggers needs the app {app}.",
            hint=f"Add {app!r} to INSTALLED_APPS, before 'triggers'.",
            id="triggers.E006",
        )
        for app in missing
    ]


def check_database(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[checks.CheckMessage]:
    """The database keeps the promises: PostgreSQL at READ COMMITTED, or SQLite set up for several processes."""
    alias = clock.alias()
    if alias not in (databases or ()):
        return []
    connection = connections[alias]
    if connection.vendor not in ("postgresql", "sqlite"):
        return [
            checks.Warning(
                f"triggers is not tested on {connection.display_name}.",
                hint="Use PostgreSQL or SQLite for the database alias of the app triggers.",
                id="triggers.W005",
            )
        ]
    options = connection.settings_dict.get("OPTIONS", {})
    if connection.vendor == "sqlite" and options.get("transaction_mode") != "IMMEDIATE":
        return [
            checks.Warning(
                "With a worker beside the web server, SQLite answers “database is locked” at times.",
                hint=(
                    'Set DATABASES[…]["OPTIONS"] = {"timeout": 20, "transaction_mode": "IMMEDIATE", '
                    '"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"}.'
                ),
                id="triggers.W006",
            )
        ]
    if connection.vendor == "postgresql" and _isolation(connection) != "read committed":
        return [
            checks.Warning(
                "The isolation level of the database is not READ COMMITTED: limits and leases read what they lock.",
                hint='Remove "isolation_level" from DATABASES[…]["OPTIONS"].',
                id="triggers.W007",
            )
        ]
    return []


def _isolation(connection: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        (level,) = cursor.fetchone()
    return str(level)
