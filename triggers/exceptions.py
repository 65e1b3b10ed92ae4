"""
Every error that dj-triggers raises on purpose.

    TriggersError
    ├── FiringRefused           what was passed to fire() or explain() cannot be accepted; nothing was written
    │   ├── UnknownEventType
    │   ├── UserInvalid
    │   ├── AudienceInvalid
    │   ├── AudienceUnknown
    │   ├── AudienceError
    │   ├── UsersTooMany
    │   ├── AudienceTooLarge
    │   ├── ContextInvalid
    │   │   ├── ContextKeyReserved
    │   │   └── ContextSchemaMismatch
    │   ├── TimingInvalid
    │   ├── KeyInvalid
    │   └── KeyConflict
    ├── TriggerIncomplete       a trigger that could never act is not enabled
    │   └── ComponentMissing
    ├── DefinitionPinned        a component as it was is not saved
    ├── NothingToStart          a replay would have no run; nothing was written
    └── ActionError             for Action.perform() to raise
        ├── PermanentError
        └── RetryAfter

Each class has a stable ``code``; its HTTP status is known to ``triggers_api.errors`` alone.
"""

from __future__ import annotations

from typing import ClassVar


class TriggersError(Exception):
    """The root of all errors of this package."""

    code: ClassVar[str] = "error"


class FiringRefused(TriggersError):
    """The call of ``fire`` or ``explain`` cannot be accepted as it is. Nothing was written."""

    code = "firing_refused"
    #: The argument that is wrong.
    argument: ClassVar[str] = ""


class UnknownEventType(FiringRefused):
    """No installed Event class has this label."""

    code = "event_type_unknown"
    argument = "type"


class UserInvalid(FiringRefused):
    """The value cannot be the primary key of a user."""

    code = "user_invalid"
    argument = "users"


class AudienceInvalid(FiringRefused):
    """Both users and an audience were given, or neither."""

    code = "audience_invalid"
    argument = "audience"


class AudienceUnknown(FiringRefused):
    """No audience has this name."""

    code = "audience_unknown"
    argument = "audience"


class AudienceError(FiringRefused):
    """
    The named audience could not be read. ``fire`` does not raise it: the audience is read on a worker, which notes it
    in ``Occurrence.matches``.
    """

    code = "audience_error"
    argument = "audience"


class UsersTooMany(FiringRefused):
    """More users than can be explained at once."""

    code = "users_too_many"
    argument = "users"


class AudienceTooLarge(FiringRefused):
    """The audience has more users than can be explained at once."""

    code = "audience_too_large"
    argument = "audience"


class ContextInvalid(FiringRefused):
    """The context holds what cannot be stored as JSON. ``path`` leads to the value."""

    code = "context_invalid"
    argument = "context"

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


class ContextKeyReserved(ContextInvalid):
    """The context uses a key that dj-triggers sets itself."""

    code = "context_key_reserved"


class ContextSchemaMismatch(ContextInvalid):
    """The context is not as the ``context_schema`` of the event's class asks."""

    code = "context_schema_mismatch"


class TimingInvalid(FiringRefused):
    """A moment has no time zone, a delay is negative, or one leads beyond what a date can hold."""

    code = "timing_invalid"

    def __init__(self, message: str, argument: str) -> None:
        super().__init__(message)
        self.argument = argument  # type: ignore[misc]


class KeyInvalid(FiringRefused):
    """The dedupe key is empty or too long."""

    code = "key_invalid"
    argument = "key"


class KeyConflict(FiringRefused):
    """The dedupe key was used before with other content."""

    code = "key_conflict"
    argument = "key"


class TriggerIncomplete(TriggersError):
    """The trigger has no event or no action and so cannot be enabled."""

    code = "trigger_incomplete"


class ComponentMissing(TriggerIncomplete):
    """The trigger has a part whose class is not installed and so cannot be enabled."""

    code = "component_missing"


class DefinitionPinned(TriggersError):
    """The component is as it was when its run began to wait, not as it is today: it is neither saved nor deleted."""

    code = "definition_pinned"


class NothingToStart(TriggersError):
    """Replaying the run would start nothing. Nothing was written."""

    code = "nothing_to_start"


class ActionError(TriggersError):
    """The action could not do its work."""

    code = "action_failed"


class PermanentError(ActionError):
    """The action will never succeed for this run: it fails without another attempt."""


class RetryAfter(ActionError):
    """The action wants its next attempt no sooner than ``seconds`` from now. It counts as an attempt."""

    def __init__(self, seconds: float, message: str = "") -> None:
        super().__init__(message or f"The action asked to be tried again in {seconds:g} seconds.")
        self.seconds = seconds
