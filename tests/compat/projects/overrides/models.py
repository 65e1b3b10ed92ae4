"""Subclasses that change what dj-triggers does: some of it is honoured here, and a system check names the rest."""

from collections.abc import Mapping
from typing import Any

from triggers.models import Event, Trigger


class StaffTrigger(Trigger):
    """Honoured: whom the trigger concerns."""

    def filter_user_queryset(self, user_queryset: Any) -> Any:
        return super().filter_user_queryset(user_queryset).filter(is_staff=True)


class LoudTrigger(Trigger):
    """Named by a check: runs ask neither."""

    @property
    def is_active(self) -> bool:
        return True

    def on_event(self, user: Any, context: Mapping[str, Any]) -> None:
        super().on_event(user, {**context, "text": "loud"})


class LoudEvent(Event):
    """Honoured where it is called: by the project's code, and by the task of messages that were left in the broker."""

    def fire(self, user_queryset: Any, **context: Any) -> None:
        super().fire(user_queryset, **context | {"text": "loud"})

    def handle(self, user_pk: Any, **context: Any) -> None:
        super().handle(user_pk, **context | {"text": "loudly handled"})


class SingleEvent(Event):
    def fire_single(self, user_pk: Any, **context: Any) -> None:
        super().fire_single(user_pk, **context | {"text": "single"})
