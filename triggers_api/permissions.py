"""Who may fire events and who may read what became of them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from triggers.models import Occurrence, Run


class MayFire(IsAuthenticated):
    """Users with the permission ``triggers.fire_event``."""

    message = _("To fire events you need the permission triggers.fire_event.")

    def has_permission(self, request: Request, view: Any) -> bool:
        return super().has_permission(request, view) and request.user.has_perm("triggers.fire_event")


class MayRead(IsAuthenticated):
    """Users with the model's view permission; and who fired an occurrence may read it and its runs."""

    message = _("To read what others fired you need the permissions triggers.view_occurrence and triggers.view_run.")

    def has_object_permission(self, request: Request, view: Any, obj: Occurrence | Run) -> bool:
        occurrence = obj if isinstance(obj, Occurrence) else obj.occurrence
        if occurrence.fired_by_id == request.user.pk:
            return True
        return bool(request.user.has_perm(f"triggers.view_{obj._meta.model_name}"))


def may_see_context(request: Request, occurrence: Occurrence) -> bool:
    """Whether the context, and what errors say of it, may be told: to who sent it, and by permission."""
    return occurrence.fired_by_id == request.user.pk or bool(request.user.has_perm("triggers.view_context"))
