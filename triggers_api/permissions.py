"""Who may fire events, read what became of them, and operate on it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from triggers.models import Occurrence, Run


def is_permitted(request: Request, permission: str) -> bool:
    """
    Whether the caller has the permission, and the credentials they came with do not withhold it.

    Credentials that give less than their user has (keys with scopes) say so by a method ``permits``.
    """
    return bool(request.user.has_perm(permission)) and getattr(request.auth, "permits", _everything)(permission)


def may_fire_type(request: Request, type_: str) -> bool:
    """Whether the credentials of the caller, who may fire events, are good for events of the type."""
    return bool(getattr(request.auth, "permits_event_type", _everything)(type_))


def _everything(_: str) -> bool:
    return True


class Permitted(IsAuthenticated):
    """Users with one permission."""

    permission: ClassVar[str]

    def has_permission(self, request: Request, view: Any) -> bool:
        return super().has_permission(request, view) and is_permitted(request, self.permission)


class MayFire(Permitted):
    permission = "triggers.fire_event"
    message = _("To fire events you need the permission triggers.fire_event.")


class MayExplain(Permitted):
    permission = "triggers.explain_event"
    message = _("To ask what an event would do you need the permission triggers.explain_event.")


class MayOperate(Permitted):
    permission = "triggers.operate_run"
    message = _("To cancel, retry and replay runs you need the permission triggers.operate_run.")


class MayListOccurrences(Permitted):
    permission = "triggers.view_occurrence"
    message = _("To list occurrences you need the permission triggers.view_occurrence.")


class MayListRuns(Permitted):
    permission = "triggers.view_run"
    message = _("To list runs you need the permission triggers.view_run.")


class MayListActivities(Permitted):
    permission = "triggers.view_activity"
    message = _("To list activities you need the permission triggers.view_activity.")


class MayReset(Permitted):
    permission = "triggers.reset_activity"
    message = _("To reset activities you need the permission triggers.reset_activity.")


class MayConfigure(IsAuthenticated):
    """Users with Django's permissions on triggers, which cover their components too."""

    _NEEDED: ClassVar = {
        "GET": "triggers.view_trigger",
        "HEAD": "triggers.view_trigger",
        "POST": "triggers.add_trigger",
        "PUT": "triggers.change_trigger",
        "PATCH": "triggers.change_trigger",
        "DELETE": "triggers.delete_trigger",
    }

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        permission = self._NEEDED.get(request.method or "")
        if permission is None:
            return True  # no method of these views: answered as such
        self.message = _("To do this you need the permission %s.") % permission
        return is_permitted(request, permission)


class MayApply(IsAuthenticated):
    """
    Users who may view triggers, and to apply a configuration may change them too. What it takes to add, delete, enable
    and disable is asked for where a configuration does so.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        needed = ("view_trigger", "change_trigger") if request.method == "PUT" else ("view_trigger",)
        missing = [name for name in needed if not is_permitted(request, f"triggers.{name}")]
        if missing:
            self.message = _("To do this you need the permission %s.") % f"triggers.{missing[0]}"
        return not missing


class MayDiscover(IsAuthenticated):
    """Users who read triggers, make them or fire events: all need the types there are."""

    message = _(
        "To do this you need one of the permissions triggers.view_trigger, triggers.add_trigger, triggers.fire_event."
    )

    def has_permission(self, request: Request, view: Any) -> bool:
        return super().has_permission(request, view) and any(
            is_permitted(request, f"triggers.{codename}") for codename in ("view_trigger", "add_trigger", "fire_event")
        )


class MayEnable(Permitted):
    permission = "triggers.enable_trigger"
    message = _("To enable and disable triggers you need the permission triggers.enable_trigger.")


class MayRead(IsAuthenticated):
    """Users with the model's view permission; and who fired an occurrence may read it and its runs."""

    message = _("To read what others fired you need the permissions triggers.view_occurrence and triggers.view_run.")

    def has_object_permission(self, request: Request, view: Any, obj: Occurrence | Run) -> bool:
        occurrence = obj if isinstance(obj, Occurrence) else obj.occurrence
        if _fired(request, occurrence):
            return True
        return is_permitted(request, f"triggers.view_{obj._meta.model_name}")


def may_see_context(request: Request, occurrence: Occurrence) -> bool:
    """Whether the context, and what errors say of it, may be told: to who sent it, and by permission."""
    return _fired(request, occurrence) or is_permitted(request, "triggers.view_context")


def _fired(request: Request, occurrence: Occurrence) -> bool:
    """Whether the caller fired it, and comes with credentials that are good for that."""
    if occurrence.fired_by_id != request.user.pk or not may_fire_type(request, occurrence.type):
        return False
    return bool(getattr(request.auth, "permits", _everything)(MayFire.permission))
