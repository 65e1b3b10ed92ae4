"""What is done to triggers and runs while runs wait: each goes on, or ends, as docs/journeys.md says."""

from django.contrib.auth.models import User

from tests.acceptance.scenario import a_trigger, effects, explain, on_both_engines, people, wait_for_runs
from tests.app.models import ClockEvent
from tests.probe.models import AwaitAction, ProbeEvent, RecordEffectAction
from tests.servers.worker import Worker
from tests.waiting import wait_until
from triggers import enabling, fire, firing, running
from triggers.models import Event, Run, Trigger

pytestmark = on_both_engines


def begin_to_wait(user: User, *names: str) -> dict[str, Run]:
    """A run of a trigger of each name, which waits for the clock and would then have an effect of that name."""
    for name in names:
        a_trigger(AwaitAction(event_type="app.ClockEvent"), RecordEffectAction(label=name), name=name)
    runs = {name: fire(Event.objects.get(trigger__name=name), users=user).runs.get() for name in names}
    waiting = Run.objects.filter(status="waiting")
    wait_until(lambda: waiting.count() == len(names), message=explain)
    return runs


def ended() -> dict[str, tuple[str, str]]:
    return {name: (status, code) for name, status, code in Run.objects.values_list("trigger_name", "status", "code")}


def test_runs_that_wait_while_their_triggers_are_changed(worker: Worker) -> None:
    [person] = people(1)
    runs = begin_to_wait(person, "untouched", "edited", "disabled", "disabled for a while", "deleted", "cancelled")

    edited = RecordEffectAction.objects.get(label="edited")
    edited.label = "not yet"
    edited.save()
    RecordEffectAction.objects.create(trigger=edited.trigger, label="nor this", position=9)
    enabling.disable(runs["disabled"].trigger_id)
    enabling.disable(runs["disabled for a while"].trigger_id)
    enabling.enable(runs["disabled for a while"].trigger_id)
    Trigger.objects.get(name="deleted").delete()
    running.cancel([runs["cancelled"].pk])
    fire(ClockEvent, users=person)

    wait_for_runs(6)
    assert ended() == {
        "untouched": ("succeeded", ""),
        "edited": ("succeeded", ""),
        "disabled": ("cancelled", "trigger_disabled"),
        "disabled for a while": ("succeeded", ""),
        "deleted": ("cancelled", "trigger_deleted"),
        "cancelled": ("cancelled", "cancelled"),
    }
    assert effects() == {"untouched": 1, "edited": 1, "disabled for a while": 1}

    # A run that the disabled trigger has lost can be tried again, and one that begins today is of today's definition.
    enabling.enable(runs["disabled"].trigger_id)
    assert firing.retry([runs["disabled"].pk]) == 1
    wait_for_runs(6)
    assert ended()["disabled"] == ("succeeded", "")
    assert effects(label="disabled") == {"disabled": 1}

    fire(Event.objects.get(trigger__name="edited"), users=person)
    wait_until(Run.objects.filter(status="waiting").exists, message=explain)
    fire(ClockEvent, users=person)
    wait_for_runs(7)
    assert effects(label__in=["not yet", "nor this"]) == {"not yet": 1, "nor this": 1}


def test_the_runs_of_a_user_who_is_deleted_go_and_those_of_others_go_on(worker: Worker) -> None:
    leaving, staying = people(2)
    a_trigger(AwaitAction(event_type="app.ClockEvent"), RecordEffectAction())
    fire(ProbeEvent, users=[leaving, staying])
    wait_until(lambda: Run.objects.filter(status="waiting").count() == 2, message=explain)

    leaving.delete()
    fire(ClockEvent, users=staying)

    wait_for_runs(1)
    assert Run.objects.get().status == "succeeded"
    assert effects() == {"effect": 1}
