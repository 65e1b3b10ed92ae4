"""What acceptance tests are made of: people, triggers, and questions about what became of runs."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Count

from tests.probe.models import Effect, ProbeEvent
from tests.waiting import wait_until
from triggers.models import Action, Activity, Condition, Event, Run, Trigger

#: Temporal, where its workers meet the database as Celery's do: SQLite adds nothing to what was seen on PostgreSQL.
TEMPORAL_ON_POSTGRESQL = pytest.param("temporal", marks=pytest.mark.postgresql)

on_both_engines = pytest.mark.parametrize("engine", ["celery", "temporal"], indirect=True)
on_both_engines_on_postgresql = pytest.mark.parametrize("engine", ["celery", TEMPORAL_ON_POSTGRESQL], indirect=True)


def people(number: int, *, prefix: str = "person") -> list[User]:
    return User.objects.bulk_create(User(username=f"{prefix}{index}") for index in range(number))


def a_trigger(
    *actions: Action,
    name: str = "probe",
    conditions: Sequence[Condition] = (),
    event: Event | None = None,
    is_enabled: bool = True,
) -> Trigger:
    """Save and return a trigger of these unsaved components, the actions in this order."""
    trigger = Trigger.objects.create(name=name, is_enabled=is_enabled)
    components: list[Event | Condition] = [event or ProbeEvent(), *conditions]
    for component in components:
        component.trigger = trigger
        component.save()
    for position, action in enumerate(actions):
        action.trigger = trigger
        action.position = position
        action.save()
    return trigger


def wait_for_runs(number: int, *, timeout: float = 60, meanwhile: Callable[[], Any] | None = None) -> None:
    """Return when there are that many runs and all have ended; ``meanwhile`` is called between looks."""

    def have_ended() -> bool:
        if meanwhile is not None:
            meanwhile()
        return Run.objects.count() >= number and not Run.objects.open().exists()

    wait_until(have_ended, timeout=timeout, message=lambda: f"the end of {number} runs: {outcomes()}")
    assert Run.objects.count() == number


def outcomes(**filters: Any) -> Counter[str]:
    """Return how many runs ended how, as in ``{"succeeded": 2, "skipped limit_reached": 1}``."""
    pairs = Run.objects.filter(**filters).values_list("status", "code")
    return Counter(f"{status} {code}".strip() for status, code in pairs)


def effects(**filters: Any) -> Counter[str]:
    """Return how often each labelled effect happened."""
    return Counter(Effect.objects.filter(**filters).values_list("label", flat=True))


def repeated_effects() -> list[tuple[str, str]]:
    """Return the step and label of every effect that happened more than once."""
    repeated = Effect.objects.values_list("key", "label").annotate(times=Count("pk")).filter(times__gt=1)
    return [(key, label) for key, label, _ in repeated]


def counted(trigger: Trigger) -> dict[int, int]:
    """Return each user's action count in the trigger's ledger."""
    return dict(Activity.objects.filter(trigger=trigger).values_list("user_id", "action_count"))


def explain() -> str:
    """Return the first runs and their steps, for a failure's message."""
    lines = []
    for run in Run.objects.prefetch_related("steps")[:50]:
        steps = ", ".join(f"{step.type} {step.status} ×{step.attempts} {step.error_type}" for step in run.steps.all())
        lines.append(
            f"{run.trigger_name} for {run.user_id} by {run.engine}: {run.status} {run.code} {run.detail} "
            f"(losses {run.losses}) [{steps}]"
        )
    return "\n".join(lines)
