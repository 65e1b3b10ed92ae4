"""
A process whose clock is in the test's hand: ``python -m tests.events.sweeper``.

It reads moments, one a line, and does for each what a worker's sweep does at that time for schedules.
"""

import sys
from datetime import datetime

import django

if __name__ == "__main__":
    django.setup()

    from triggers.contrib.events.models import ScheduleEvent
    from triggers.testing import without_broker

    with without_broker():
        print("ready", flush=True)
        for line in sys.stdin:
            ScheduleEvent.sweep(datetime.fromisoformat(line.strip()))
            print("swept", flush=True)
