"""
The Django admin: triggers are set up and tried here, and what became of events is told.

    triggers.py     the triggers; ``components.py`` is their parts, ``firing.py`` their pages *Fire…* and *Explain…*
    occurrences.py  what was fired
    runs.py         what was done for each user, or why nothing was; ``operating.py`` cancels, retries, replays
    activities.py   the ledger that limits read
"""

from triggers.admin.activities import ActivityAdmin
from triggers.admin.components import ActionInline, ConditionInline, EventInline
from triggers.admin.occurrences import OccurrenceAdmin
from triggers.admin.runs import RunAdmin
from triggers.admin.triggers import TriggerAdmin

__all__ = [
    "ActionInline",
    "ActivityAdmin",
    "ConditionInline",
    "EventInline",
    "OccurrenceAdmin",
    "RunAdmin",
    "TriggerAdmin",
]
