"""What the start of the service does for runs that were under way when it ended, however it ended."""

from __future__ import annotations

from django.db.models import Case, F, Q, When
from django.utils import timezone

from triggers.models import AudienceChunk, Run


def resume() -> None:
    """
    The first sweep finds all open runs that are due, without waiting for leases and pauses to end.

    Only for a caller who knows that no worker is alive: a lease is what keeps a second worker away from a run.
    """
    now = timezone.now()
    runs = Run.objects.open()
    runs.exclude(lease_until=None).update(lease_until=now)
    is_early = Q(due_at__gt=now)
    # One that waits for an event may still have to be looked at before it is due.
    waits_for_event = Q(awaited_type__isnull=False, woken_by=None)
    runs.update(
        next_handover_at=Case(
            When(is_early & waits_for_event, then=F("next_handover_at")),
            When(is_early, then=F("due_at")),
            default=now,
        )
    )
    AudienceChunk.objects.filter(done_at=None).update(next_handover_at=now)
