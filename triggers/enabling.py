"""To have triggers act, and to have them stop: only a trigger that can do something is enabled."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from polymorphic.models import PolymorphicModel

from triggers import clock
from triggers.exceptions import ComponentMissing, TriggerIncomplete
from triggers.loading import class_name, load, rows
from triggers.models import Action, Condition, Event, Trigger


def enable(trigger_id: int) -> Trigger:
    """
    Events start the trigger from now on.

    Raises TriggerIncomplete, or ComponentMissing, if it could never act; it stays as it was then. Raises
    Trigger.DoesNotExist.
    """
    using = clock.alias()
    with transaction.atomic(using=using):
        trigger = _locked(trigger_id, using)
        refuse_incomplete(trigger)
        return _set_enabled(trigger, True, using)


def disable(trigger_id: int) -> Trigger:
    """
    Events do not start the trigger any more, and its runs under way end before their next step.

    Raises Trigger.DoesNotExist.
    """
    using = clock.alias()
    with transaction.atomic(using=using):
        return _set_enabled(_locked(trigger_id, using), False, using)


def refuse_incomplete(trigger: Trigger) -> None:
    """
    Raise TriggerIncomplete, or ComponentMissing, if the trigger as it stands in the database could never act.

    Whoever changes a trigger that is enabled calls this last in the transaction, the trigger's row locked.
    """
    missing = _not_installed(trigger)
    without = _without(trigger)
    if not missing and not without:
        return
    advice = [_("Add an event and an action.") if len(without) > 1 else _("Add one.")] if without else []
    if missing:
        advice.append(_("Install the app that defines what is not installed, or remove it from the trigger."))
    sentence = _("The trigger “%(trigger)s” cannot be enabled as long as it has %(lacking)s.") % {
        "trigger": trigger.name,
        "lacking": get_text_list([*without, *missing], _("and")),
    }
    error = ComponentMissing if missing else TriggerIncomplete
    raise error(" ".join([sentence, *advice]))


def lacking(trigger: Trigger) -> list[str]:
    """What keeps the trigger, as it stands in the database, from ever acting, in words; nothing if it can."""
    return [*_without(trigger), *_not_installed(trigger)]


def not_installed(component: PolymorphicModel) -> str:
    """A component, or a trigger, that cannot be loaded as what it was, in words."""
    return _("“%(type)s”, which is not installed") % {"type": class_name(component)}


def _without(trigger: Trigger) -> list[str]:
    using = clock.alias()
    nothing: tuple[tuple[Any, str], ...] = ((Event, _("no event")), (Action, _("no action")))
    return [words for kind, words in nothing if not rows(kind, using).filter(trigger=trigger.pk).exists()]


def _not_installed(trigger: Trigger) -> list[str]:
    using = clock.alias()
    _triggers, missing = load(rows(Trigger, using).filter(pk=trigger.pk))
    gone: list[PolymorphicModel] = [*missing]
    kinds: tuple[Any, ...] = (Event, Condition, Action)
    for kind in kinds:
        _found, lost = load(rows(kind, using).filter(trigger=trigger.pk).order_by("pk"))
        gone += lost
    return [not_installed(component) for component in gone]


def _locked(trigger_id: int, using: str) -> Trigger:
    """The trigger, of its own class if that is installed; its row is locked until the transaction ends."""
    base = rows(Trigger, using).select_for_update().get(pk=trigger_id)
    found, _missing = load(rows(Trigger, using).filter(pk=trigger_id))
    return found[0] if found else base


def _set_enabled(trigger: Trigger, is_enabled: bool, using: str) -> Trigger:
    if trigger.is_enabled != is_enabled:
        trigger.is_enabled = is_enabled
        trigger.save(using=using, update_fields=["is_enabled"])
    return trigger
