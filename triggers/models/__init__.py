"""What should happen (definitions, limits) and what did happen (records)."""

from triggers.models.activity import Activity
from triggers.models.definitions import Action, Call, Condition, Event, Trigger
from triggers.models.limits import ActionCountCondition, ActionFrequencyCondition
from triggers.models.records import AudienceChunk, Occurrence, Run, Step

__all__ = [
    "Action",
    "ActionCountCondition",
    "ActionFrequencyCondition",
    "Activity",
    "AudienceChunk",
    "Call",
    "Condition",
    "Event",
    "Occurrence",
    "Run",
    "Step",
    "Trigger",
]
