"""
Whether a trigger's conditions let its users through, and if not, which condition kept a user out and why.

The one evaluator: firing, running and explaining all use it. An exception in a condition concerns that
trigger and those users only: it becomes a decision with the code ``condition_error``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from triggers.exceptions import TriggersError
from triggers.loading import Definition, rows
from triggers.models import Activity, Condition, Trigger
from triggers.registry import label

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Decision:
    """Why a user is kept out, in a stable code, a sentence, and what was required and observed."""

    code: str
    detail: str
    condition: Condition | None = None
    required: str = ""
    observed: str = ""

    def as_json(self) -> dict[str, Any] | None:
        if self.condition is None:
            return None
        return {
            "condition": self.condition.pk,
            "type": label(self.condition),
            "name": str(self.condition),
            "required": self.required,
            "observed": self.observed,
        }


def users(using: str) -> QuerySet[Any]:
    """Everybody to whom an event can happen."""
    return get_user_model()._default_manager.using(using)


def passing(definition: Definition, candidates: QuerySet[Any]) -> QuerySet[Any]:
    """Those of the candidates whom every queryset condition lets through."""
    for component in _filtering(definition):
        candidates = component.filter_user_queryset(candidates)
    return candidates


def let_in(definition: Definition, keys: Collection[Any], using: str) -> set[Any]:
    """
    Those of the users who exist and whom every queryset condition lets through, by one query; nobody where there is no
    such condition, or where one raises.
    """
    if not _filtering(definition):
        return set()
    try:
        return guarded(lambda: _keys_of(passing(definition, users(using).filter(pk__in=keys))), using)
    except Exception:
        return set()  # asked again one by one by those who want to know which condition it was


def excluded(
    definition: Definition, keys: Collection[Any], using: str, admitted: Collection[Any] | None = None
) -> dict[Any, Decision]:
    """
    Those of the users whom a queryset condition keeps out, each with the first that does.

    One query for all conditions together, unless those ``admitted`` are known, and one for each condition only when
    somebody is kept out.
    """
    if not _filtering(definition):
        return {}
    if admitted is None:
        admitted = let_in(definition, keys, using)
    decisions: dict[Any, Decision] = {}
    for condition in _filtering(definition):
        open_keys = [key for key in keys if key not in admitted and key not in decisions]
        if not open_keys:
            break
        decisions |= kept_out(condition, open_keys, using)
    return decisions


def denied(definition: Definition, user: Any, context: Callable[[], Mapping[str, Any]]) -> Decision | None:
    """The first condition written in Python that does not allow the user; None if all do."""
    for condition in definition.conditions:
        if asks_user_by_user(condition) and (decision := not_allowed(condition, user, context)):
            return decision
    return None


def not_allowed(condition: Condition, user: Any, context: Callable[[], Mapping[str, Any]]) -> Decision | None:
    """Why a condition written in Python does not allow the user; None if it does."""
    using = user._state.db
    try:
        if guarded(lambda: condition.allows(user, context()), using):
            return None
    except Exception as error:
        return _error(condition, error, using)
    return _decision(condition, lambda: condition.observe_in(user, context(), None), using)


def guarded(question: Callable[[], Result], using: str) -> Result:
    """The answer of code that is not ours; its database errors do not spoil the transaction around it."""
    if not connections[using].in_atomic_block:
        return question()
    with transaction.atomic(using=using):
        return question()


def is_outage(error: Exception, using: str) -> bool:
    """Whether the error is the database's being away, so that no component is to blame for it."""
    return isinstance(error, OperationalError | InterfaceError) and not connections[using].is_usable()


def kept_out(condition: Condition | Trigger, keys: Collection[Any], using: str) -> dict[Any, Decision]:
    """Those of the users whom the filter of the condition leaves out, and why."""
    try:
        held = guarded(lambda: _keys_of(condition.filter_user_queryset(users(using).filter(pk__in=keys))), using)
    except Exception as error:
        return dict.fromkeys(keys, _error(condition, error, using))
    left_out = [key for key in keys if key not in held]
    if not left_out:
        return {}
    if isinstance(condition, Trigger):
        detail = _("The filter of the trigger “%(trigger)s” leaves the user out.") % {"trigger": condition}
        return dict.fromkeys(left_out, Decision("condition_failed", detail))
    activities = activities_of(condition.trigger_id, left_out, using)
    return {
        user.pk: _decision(condition, partial(condition.observe, user, activities.get(user.pk)), using)
        for user in users(using).filter(pk__in=left_out)
    }


def activities_of(trigger_id: int, keys: Collection[Any], using: str) -> dict[Any, Activity]:
    """What the trigger did to those users so far, by user."""
    found = rows(Activity, using).filter(trigger_id=trigger_id, user_id__in=keys)
    return {activity.user_id: activity for activity in found}


def observed(observe: Callable[[], str], using: str) -> str:
    """What a condition finds of a user, in words."""
    return str(guarded(observe, using))


def _decision(condition: Condition, observe: Callable[[], str], using: str) -> Decision:
    try:
        found = observed(observe, using)
        required = str(condition.requirement)
    except Exception as error:
        return _error(condition, error, using)
    if found:
        detail = _("The condition “%(condition)s” does not hold. Required: %(required)s. Observed: %(observed)s.")
    else:
        detail = _("The condition “%(condition)s” does not hold.")
    values = {"condition": condition, "required": required, "observed": found}
    return Decision(condition.code, detail % values, condition, required, found)


def _error(condition: Condition | Trigger, error: Exception, using: str) -> Decision:
    if is_outage(error, using):
        raise error
    logger.warning("Condition %s of type %s raised", condition.pk, label(condition), exc_info=error)
    detail = _("The condition “%(condition)s” could not be evaluated: %(error)s.") % {
        "condition": condition,
        "error": (isinstance(error, TriggersError) and str(error).removesuffix(".")) or type(error).__name__,
    }
    return Decision("condition_error", detail, condition if isinstance(condition, Condition) else None)


def _filtering(definition: Definition) -> list[Condition | Trigger]:
    """The conditions that filter querysets, and the trigger if its class has a filter of its own."""
    components: list[Condition | Trigger] = [*definition.conditions, definition.trigger]
    return [component for component in components if filters_users(component)]


def filters_users(component: Condition | Trigger) -> bool:
    """Whether the component's class has its own say about querysets of users."""
    base = Trigger if isinstance(component, Trigger) else Condition
    return type(component).filter_user_queryset is not base.filter_user_queryset


def asks_user_by_user(condition: Condition) -> bool:
    """Whether the condition's class decides in Python."""
    kind = type(condition)
    return kind.allows is not Condition.allows or kind.is_satisfied is not Condition.is_satisfied


def _keys_of(candidates: QuerySet[Any]) -> set[Any]:
    """A set: joins in a condition may repeat a user."""
    return set(candidates.values_list("pk", flat=True))
