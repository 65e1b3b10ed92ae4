"""
The Django admin: triggers are set up here, and their runs explain themselves.

Start at ``triggers.py`` for the former and ``runs.py`` for the latter.
"""

from triggers.admin.activities import ActivityAdmin
from triggers.admin.components import ActionInline, ConditionInline, EventInline
from triggers.admin.runs import RunAdmin
from triggers.admin.triggers import TriggerAdmin

__all__ = ["ActionInline", "ActivityAdmin", "ConditionInline", "EventInline", "RunAdmin", "TriggerAdmin"]
