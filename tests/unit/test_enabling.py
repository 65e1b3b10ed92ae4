from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from tests.acceptance.scenario import a_trigger
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers.enabling import disable, enable, lacking
from triggers.exceptions import ComponentMissing, TriggerIncomplete
from triggers.models import Action, ActionCountCondition, Condition, Event, Trigger

pytestmark = pytest.mark.django_db


def is_enabled(trigger):
    return Trigger.objects.non_polymorphic().get(pk=trigger.pk).is_enabled


def test_a_complete_trigger_is_enabled_and_disabled_however_often():
    trigger = a_trigger(RecordEffectAction(), is_enabled=False)
    assert lacking(trigger) == []
    for _ in range(2):
        assert enable(trigger.pk).is_enabled
        assert is_enabled(trigger)
    for _ in range(2):
        assert not disable(trigger.pk).is_enabled
        assert not is_enabled(trigger)


def test_a_trigger_that_could_never_act_is_not_enabled():
    empty = Trigger.objects.create(name="empty")
    no_action = a_trigger(name="no action", is_enabled=False)
    no_event = a_trigger(RecordEffectAction(), name="no event", is_enabled=False)
    no_event.events.all().delete()
    refusals = {}
    for trigger in (empty, no_action, no_event):
        with pytest.raises(TriggerIncomplete) as refused:
            enable(trigger.pk)
        assert refused.value.code == "trigger_incomplete"
        assert not is_enabled(trigger)
        refusals[trigger.name] = str(refused.value), lacking(trigger)
    assert refusals == {
        "empty": (
            "The trigger “empty” cannot be enabled as long as it has no event and no action. "
            "Add an event and an action.",
            ["no event", "no action"],
        ),
        "no action": (
            "The trigger “no action” cannot be enabled as long as it has no action. Add one.",
            ["no action"],
        ),
        "no event": (
            "The trigger “no event” cannot be enabled as long as it has no event. Add one.",
            ["no event"],
        ),
    }


@pytest.mark.parametrize("part", ["event", "condition", "action", "trigger"])
def test_a_trigger_with_a_part_whose_class_is_not_installed_is_not_enabled(part):
    trigger = a_trigger(RecordEffectAction(), conditions=[ActionCountCondition()], is_enabled=False)
    parts = {
        "event": trigger.events.get(),
        "condition": trigger.conditions.get(),
        "action": trigger.actions.get(),
        "trigger": trigger,
    }
    lost = parts[part]
    base: Any = next(base for base in (Event, Condition, Action, Trigger) if isinstance(lost, base))
    gone = ContentType.objects.create(app_label="legacy", model="forgotten")
    base._base_manager.non_polymorphic().filter(pk=lost.pk).update(polymorphic_ctype=gone)
    with pytest.raises(ComponentMissing) as refused:
        enable(trigger.pk)
    assert refused.value.code == "component_missing"
    assert str(refused.value) == (
        "The trigger “probe” cannot be enabled as long as it has “legacy.forgotten”, which is not installed. "
        "Install the app that defines what is not installed, or remove it from the trigger."
    )
    assert lacking(trigger) == ["“legacy.forgotten”, which is not installed"]
    assert not is_enabled(trigger)


def test_a_part_whose_own_row_is_gone_counts_as_not_installed():
    trigger = a_trigger(RecordEffectAction(), is_enabled=False)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {ProbeEvent._meta.db_table}")
    with pytest.raises(ComponentMissing, match=r"probe\.probeevent"):
        enable(trigger.pk)


def test_a_trigger_that_does_not_exist_is_said_not_to():
    for operation in (enable, disable):
        with pytest.raises(Trigger.DoesNotExist):
            operation(4711)
