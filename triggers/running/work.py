"""One claimed run with all that is needed to perform it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from triggers.context import decode
from triggers.loading import Definition
from triggers.models import Action, Condition, Event, Run, Step

Component = Event | Condition | Action


@dataclass(eq=False)
class Work:
    """A run in this worker's hands: the definition that it keeps to, its user, and how far it got."""

    run: Run
    definition: Definition
    event: Event
    user: Any
    #: The step that was tried before and is to be tried again.
    waiting_step: Step | None = None
    #: The actions that are not to be performed (again), by id.
    over: set[int] = field(default_factory=set)
    #: How many of those failed for good.
    failures: int = 0

    @property
    def place(self) -> tuple[int, Any]:
        """Trigger and user: in one round at most one run has the same."""
        return self.run.trigger_id, self.run.user_id

    @property
    def open_actions(self) -> list[Action]:
        """The definition's actions that are not over, in their order; the one that is to be tried again comes first."""
        actions = [action for action in self.definition.actions if action.pk not in self.over]
        if self.waiting_step is not None:
            actions.sort(key=lambda action: action.pk != self.waiting_step.action_id)  # type: ignore[union-attr]
        return actions

    @property
    def without_secret(self) -> Component | None:
        """What was kept of the definition without its secrets, which are gone, though it is needed still."""
        needed = (self.event, *self.definition.conditions, *self.open_actions)
        return next((component for component in self.definition.without_secrets if component in needed), None)

    @property
    def step_key(self) -> str:
        """The stable key of the step under way."""
        return f"{self.run.pk}:{self.run.position}"

    @property
    def depth(self) -> int:
        return self.run.occurrence.depth

    @cached_property
    def user_context(self) -> dict[str, Any]:
        """What the event makes of the context for this user. May raise whatever ``get_user_context`` does."""
        return dict(self.event.get_user_context(self.user, decode(self.run.occurrence.context)))
