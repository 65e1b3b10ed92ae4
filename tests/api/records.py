"""Records for the API to tell, and what they look like there, whole."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User

from tests.acceptance.scenario import a_trigger
from tests.probe.models import ProbeEvent
from triggers import fire
from triggers.models import Action, Occurrence, Run, Trigger
from triggers.running import advance


def url(record: Occurrence | Run) -> str:
    return f"/api/v1/{record._meta.model_name}s/{record.pk}/"


def moment(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def run_as_json(run: Run, steps: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The run as its own page tells it; without steps, as lists do."""
    body = {
        "id": str(run.pk),
        "occurrence": str(run.occurrence_id),
        "event": run.event_id,
        "trigger": run.trigger_id,
        "trigger_name": run.trigger_name,
        "user": str(run.user_id),
        "status": run.status,
        "code": run.code,
        "detail": run.detail,
        "decision": run.decision,
        "created_at": moment(run.created_at),
        "started_at": moment(run.started_at),
        "ended_at": moment(run.ended_at),
        "due_at": moment(run.due_at),
        "waiting_for": waiting_for(run),
        "cancel_requested_at": moment(run.cancel_requested_at),
        "replay_of": run.replay_of_id and str(run.replay_of_id),
    }
    return body if steps is None else body | {"steps": steps}


def waiting_for(run: Run) -> dict[str, Any] | None:
    """The event that the run waits for."""
    if run.awaited_type is None or run.woken_by_id or not run.is_open:
        return None
    return {
        "type": run.awaited_type,
        "context_keys": sorted(run.awaited_context or {}),
        "since": moment(run.awaited_since),
        "until": moment(run.due_at),
        "on_timeout": "stop" if run.stops_on_timeout else "continue",
    }


def run_counts(**counts: int) -> dict[str, int]:
    """How many runs there are of each status."""
    return dict.fromkeys(Run.Status.values, 0) | counts


def match(trigger: Trigger) -> dict[str, Any]:
    """What is told of the trigger's one event, that happened."""
    return {"event": trigger.events.get().pk, "trigger": trigger.pk, "trigger_name": trigger.name}


def performed_run(*actions: Action, user: User, **options: Any) -> Run:
    """A run of a new trigger of these actions that is over."""
    a_trigger(*actions, **options)
    fire(ProbeEvent, users=user)
    advance([Run.objects.get().pk])
    return Run.objects.get()
