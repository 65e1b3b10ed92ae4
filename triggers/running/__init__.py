"""
To run: what happens to the runs of an occurrence. ``advance`` is all that any engine ever calls.

    claim (lease.py)        the runs are this worker's until the lease ends
    admit (admission.py)    conditions are evaluated and places reserved, under the Activity lock
    perform (performing.py) the actions, one after the other
    settle (settling.py)    how a step or a run ended

``operating.py`` is what people do: cancel runs, have them tried again, begin the ledger anew.
"""

from triggers.running.advancing import Remaining, advance
from triggers.running.operating import cancel, cancel_occurrence, fail, reopen, reset_activity

__all__ = ["Remaining", "advance", "cancel", "cancel_occurrence", "fail", "reopen", "reset_activity"]
