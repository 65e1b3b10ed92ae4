"""What a key may do. docs/keys.md has the same table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True)
class Scope:
    """A name for permissions that belong together."""

    about: StrOrPromise
    permissions: frozenset[str]


def _scope(about: StrOrPromise, *codenames: str) -> Scope:
    return Scope(about, frozenset(f"triggers.{codename}" for codename in codenames))


def _user_scope(about: StrOrPromise, *verbs: str) -> Scope:
    app, model = settings.AUTH_USER_MODEL.lower().split(".")
    return Scope(about, frozenset(f"{app}.{verb}_{model}" for verb in verbs))


SCOPES: Final[dict[str, Scope]] = {
    "fire": _scope(_("fire events for named users"), "fire_event"),
    "fire:all": _scope(_("fire events for all users; needs fire, too"), "fire_event_to_all"),
    "explain": _scope(_("ask what an event would do"), "explain_event"),
    "triggers:read": _scope(_("read triggers"), "view_trigger"),
    "triggers:write": _scope(
        _("read, create, change and delete triggers"),
        "view_trigger",
        "add_trigger",
        "change_trigger",
        "delete_trigger",
    ),
    "triggers:enable": _scope(_("enable and disable triggers"), "enable_trigger"),
    "runs:read": _scope(_("read occurrences, runs and activities"), "view_occurrence", "view_run", "view_activity"),
    "runs:operate": _scope(_("cancel, retry and replay runs"), "operate_run"),
    "activities:reset": _scope(_("reset activities"), "reset_activity"),
    "context:read": _scope(_("see contexts and the messages of errors"), "view_context"),
    "users:read": _user_scope(_("read the people events happen to"), "view"),
    "users:write": _user_scope(
        _("read, register, change and delete people; create them in firing"), "view", "add", "change", "delete"
    ),
}


def permissions_of(scopes: Iterable[str]) -> frozenset[str]:
    """All that the scopes stand for; one that there is no more stands for nothing."""
    return frozenset[str]().union(*(SCOPES[name].permissions for name in scopes if name in SCOPES))


def validate_scopes(value: Any) -> None:
    """Refuse what is no list of scopes; a field's validator."""
    known = ", ".join(SCOPES)
    if not isinstance(value, list):
        raise ValidationError(_("Write a list of scopes; there are %(known)s."), "scopes_invalid", {"known": known})
    for name in value:
        if not isinstance(name, str) or name not in SCOPES:
            values = {"name": name, "known": known}
            raise ValidationError(_("There is no scope “%(name)s”; there are %(known)s."), "scope_unknown", values)
