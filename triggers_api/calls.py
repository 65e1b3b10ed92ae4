"""From what requests ask for to calls of :func:`triggers.fire`: all of a request in one transaction, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from rest_framework.request import Request

from triggers import clock, fire
from triggers.audiences import EVERYBODY
from triggers.loading import load, rows
from triggers.models import Event, Occurrence
from triggers_api import conf
from triggers_api.errors import Path, Problem, at
from triggers_api.people import People
from triggers_api.permissions import is_permitted, may_fire_type

#: Why one configured event, asked for by its id, is refused instead of skipped.
REFUSED: Final = frozenset({"component_missing", "trigger_disabled", "trigger_incomplete"})


@dataclass(frozen=True, kw_only=True)
class Call:
    """One event that is to be fired; its values are those of :class:`FireSerializer`."""

    values: Mapping[str, Any]
    key: str | None = None
    #: Keys of one source do not meet those of another.
    source: str
    #: Where in the body it is, and what the arguments of ``fire`` are called there, where they have names of its own.
    path: Path = ()
    names: Mapping[str, str] = field(default_factory=dict)


def principal(request: Request) -> str:
    """Who calls, as the source of what they fire."""
    return f"user:{request.user.pk}"


def fire_all(request: Request, calls: Sequence[Call]) -> list[Occurrence]:
    """
    The occurrences of the calls, which are committed when this returns.

    Keys are taken in their own order, so that of two requests with the same keys none waits for the other in a circle.
    """
    occurrences: dict[int, Occurrence] = {}
    in_order = sorted(range(len(calls)), key=lambda index: (calls[index].source, calls[index].key or ""))
    with transaction.atomic(using=clock.alias()):
        for index in in_order:
            with at(calls[index].path, calls[index].names):
                occurrences[index] = _fire(request, calls[index])
    return [occurrences[index] for index in range(len(calls))]


def _fire(request: Request, call: Call) -> Occurrence:
    values = dict(call.values)
    if not values.pop("create_users", False):
        return _fire_values(request, call, values)
    with transaction.atomic(using=clock.alias()):
        _create_users(request, values)
        occurrence = _fire_values(request, call, values)
        if occurrence.replayed:  # who has been deleted since is not made again
            transaction.set_rollback(True, using=clock.alias())
    return occurrence


def _create_users(request: Request, values: Mapping[str, Any]) -> None:
    permission = "{}.add_{}".format(*settings.AUTH_USER_MODEL.lower().split("."))
    if not is_permitted(request, permission):
        detail = f"To create users you need the permission {permission}."
        raise Problem(403, "permission_denied", detail, ("create_users",))
    create = conf.create_users()
    if create is not None:
        create([values["user"]] if "user" in values else values["users"])


def _fire_values(request: Request, call: Call, values: Mapping[str, Any]) -> Occurrence:
    event, arguments = arguments_of(request, values)
    if arguments.get("audience") == EVERYBODY and not is_permitted(request, "triggers.fire_event_to_all"):
        detail = "To fire an event to all you need the permission triggers.fire_event_to_all."
        raise Problem(403, "permission_denied", detail, ("audience",))
    occurrence = fire(event, **arguments, key=call.key, source=call.source, fired_by=request.user)
    if occurrence.replayed:  # answered as the first time, whatever has changed since
        return occurrence
    if "users" in arguments and len(occurrence.unknown_users) == len(arguments["users"].names):
        raise nobody(values)
    if isinstance(event, Event):
        _check_happened(occurrence)
    return occurrence


def arguments_of(request: Request, values: Mapping[str, Any]) -> tuple[Event | str, dict[str, Any]]:
    """What is to happen, and to whom, when and in what context: the arguments of ``fire`` and ``explain``."""
    arguments = dict(values)
    argument = "event" if "event" in arguments else "type"
    named = arguments.pop(argument)
    event: Event | str = _find_event(named) if argument == "event" else named
    type_ = event.kind.name if isinstance(event, Event) else event
    if not may_fire_type(request, type_):
        detail = f"These credentials are not good for events of the type {type_}."
        raise Problem(403, "event_type_not_permitted", detail, (argument,))
    if "user" in arguments:
        arguments["users"] = People([arguments.pop("user")])
    elif "users" in arguments:
        arguments["users"] = People(arguments["users"])
    return event, arguments


def nobody(values: Mapping[str, Any]) -> Problem:
    if "user" in values:
        return Problem(400, "users_unknown", "The user does not exist.", ("user",))
    return Problem(400, "users_unknown", "None of the users exists.", ("users",))


def _find_event(id: int) -> Event:
    found, missing = load(rows(Event, clock.alias()).filter(pk=id))
    if missing:
        raise Problem(409, "component_missing", "The class of the event is not installed.", ("event",))
    if not found:
        raise Problem(400, "event_unknown", "There is no configured event with this id.", ("event",))
    return found[0]


def _check_happened(occurrence: Occurrence) -> None:
    if not occurrence.matches:
        raise Problem(409, "component_missing", "The class of the event's trigger is not installed.", ("event",))
    (note,) = occurrence.matches
    if note["code"] in REFUSED:
        raise Problem(409, note["code"], note["detail"], ("event",))
