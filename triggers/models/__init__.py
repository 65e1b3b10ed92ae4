"""What should happen (definitions, limits) and what did happen (records)."""

from triggers.models.activity import Activity
from triggers.models.definitions import Action, Call, Condition, Event, Trigger
from triggers.models.limits import ActionCountCondition, ActionFrequencyCondition
from triggers.models.records import AudienceChunk, AwaitedType, Happening, Occurrence, Run, Snapshot, Step

__all__ = [
    "Action",
    "ActionCountCondition",
    "ActionFrequencyCondition",
    "Activity",
    "AudienceChunk",
    "AwaitedType",
    "Call",
    "Condition",
    "Event",
    "Happening",
    "Occurrence",
    "Run",
    "Snapshot",
    "Step",
    "Trigger",
]
