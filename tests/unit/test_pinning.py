"""A run that has waited keeps to the definition under which it began to: both ways of going on are tried."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from tests.acceptance.scenario import a_trigger, effects
from tests.app.models import HasUncompletedTaskCondition, Task, TaskCompletedEvent
from tests.probe import models as probe
from tests.variety.models import VariedCondition, Version
from triggers import enabling, pruning, running, snapshots
from triggers.exceptions import DefinitionPinned
from triggers.firing import fire, retry
from triggers.loading import load_definitions
from triggers.models import Action, ActionCountCondition, Event, Run, Snapshot, Trigger
from triggers.running import advance
from triggers.testing import without_broker

pytestmark = pytest.mark.django_db(transaction=True)

AWAITED = "app.TaskCompletedEvent"


@pytest.fixture(autouse=True)
def no_broker():
    with without_broker():
        yield


@pytest.fixture(params=["the event", "the timeout", "a plain wait"])
def way(request) -> str:
    """How the run goes on."""
    return str(request.param)


def begin(user: User, way: str, *actions: Action, **options) -> Run:
    waiting = probe.WaitAction(seconds=3600) if way == "a plain wait" else probe.AwaitAction(event_type=AWAITED)
    a_trigger(waiting, *actions, **options)
    run = fire(probe.ProbeEvent, users=user).runs.get()
    advance([run.pk])
    run.refresh_from_db()
    assert run.status == "waiting"
    return run


def go_on(run: Run, way: str) -> Run:
    if way == "the event":
        fire(TaskCompletedEvent, users=run.user_id)
        advance([run.pk])
    else:
        run.refresh_from_db()
        advance([run.pk], now=run.due_at)
    run.refresh_from_db()
    return run


def test_edited_actions_are_performed_as_they_were(ada, way):
    run = begin(ada, way, probe.RecordEffectAction(label="old"), probe.RecordEffectAction(label="removed"))
    probe.RecordEffectAction.objects.filter(label="old").update(label="new")
    probe.RecordEffectAction.objects.filter(label="removed").delete()
    probe.RecordEffectAction.objects.create(trigger_id=run.trigger_id, label="added", position=9)

    assert go_on(run, way).status == "succeeded"
    assert effects() == {"old": 1, "removed": 1}

    other = fire(probe.ProbeEvent, users=ada).runs.get()
    advance([other.pk])
    go_on(other, way)
    assert effects() == {"old": 1, "removed": 1, "new": 1, "added": 1}


def test_a_second_wait_keeps_to_the_definition_of_the_first(ada, way):
    run = begin(ada, way, probe.WaitAction(seconds=10), probe.RecordEffectAction(label="old"))
    probe.RecordEffectAction.objects.update(label="new")
    assert go_on(run, way).status == "waiting"
    probe.RecordEffectAction.objects.update(label="newer")
    assert go_on(run, "the timeout").status == "succeeded"
    assert effects() == {"old": 1}


def test_the_rows_of_today_are_used_where_nothing_was_edited(ada, way):
    run = begin(ada, way, probe.SelfSavingAction())
    Trigger.objects.filter(pk=run.trigger_id).update(name="renamed", description="told anew")
    assert go_on(run, way).status == "succeeded"
    assert probe.SelfSavingAction.objects.get().count == 1


def test_what_was_kept_is_neither_saved_nor_deleted(ada, way):
    run = begin(ada, way, probe.SelfSavingAction())
    probe.SelfSavingAction.objects.update(count=5)
    run = go_on(run, way)
    assert (run.status, run.code) == ("failed", "action_failed")
    assert run.steps.last().error_type == "DefinitionPinned"
    assert probe.SelfSavingAction.objects.get().count == 5
    definition, _event = _kept(run)
    with pytest.raises(DefinitionPinned):
        definition.actions[1].delete()
    assert probe.SelfSavingAction.objects.exists()


def _kept(run):
    definition = load_definitions({run.trigger_id}, "default")[run.trigger_id]
    return snapshots.Pins([run], "default").of(run, definition, Event.objects.get(pk=run.event_id))


def test_a_run_that_has_not_waited_uses_the_rows_of_today(ada):
    a_trigger(probe.RecordEffectAction(label="old"))
    run = fire(probe.ProbeEvent, users=ada, delay=timedelta(hours=1)).runs.get()
    probe.RecordEffectAction.objects.update(label="new")
    advance([run.pk], now=timezone.now() + timedelta(hours=2))
    assert effects() == {"new": 1}
    assert not Snapshot.objects.exists()


def test_the_pause_before_another_attempt_is_no_wait(ada):
    a_trigger(probe.RaisingAction(), probe.RecordEffectAction(label="old"))
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    advance([run.pk])
    run.refresh_from_db()
    assert (run.status, run.snapshot_id) == ("waiting", None)


def test_a_run_of_a_trigger_that_is_disabled_is_cancelled_and_may_be_retried(ada, way):
    run = begin(ada, way, probe.RecordEffectAction(label="old"))
    enabling.disable(run.trigger_id)
    run = go_on(run, way)
    assert (run.status, run.code, effects()) == ("cancelled", "trigger_disabled", {})

    enabling.enable(run.trigger_id)
    probe.RecordEffectAction.objects.update(label="new")
    assert retry([run.pk]) == 1
    advance([run.pk])
    run.refresh_from_db()
    assert (run.status, effects()) == ("succeeded", {"old": 1})


def test_a_trigger_that_is_disabled_is_so_whatever_a_timeout_says(ada):
    a_trigger(probe.AwaitAction(event_type=AWAITED, on_timeout="stop"), probe.RecordEffectAction())
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    advance([run.pk])
    enabling.disable(run.trigger_id)
    run = go_on(run, "the timeout")
    assert (run.status, run.code) == ("cancelled", "trigger_disabled")


def test_a_trigger_that_is_enabled_again_in_time_goes_on(ada, way):
    run = begin(ada, way, probe.RecordEffectAction())
    enabling.disable(run.trigger_id)
    enabling.enable(run.trigger_id)
    assert go_on(run, way).status == "succeeded"


def test_a_run_of_a_trigger_that_is_deleted_is_cancelled(ada, way):
    run = begin(ada, way, probe.RecordEffectAction())
    Trigger.objects.get().delete()
    run = go_on(run, way)
    assert (run.status, run.code, effects()) == ("cancelled", "trigger_deleted", {})


def test_a_run_of_a_user_who_is_deleted_is_gone(ada, way):
    run = begin(ada, way, probe.RecordEffectAction())
    ada.delete()
    assert not Run.objects.exists()
    assert advance([run.pk], now=timezone.now() + timedelta(days=1)) == []


def test_a_run_that_is_cancelled_while_it_waits_stays_so(ada, way):
    run = begin(ada, way, probe.RecordEffectAction())
    running.cancel([run.pk])
    run = go_on(run, way)
    assert (run.status, run.code, effects()) == ("cancelled", "cancelled", {})


def test_an_event_that_is_removed_from_the_trigger_is_kept_with_the_rest(ada, way):
    run = begin(ada, way, probe.RecordEffectAction())
    Event.objects.all().delete()
    assert go_on(run, way).status == "succeeded"


def uninstall(model):
    """What the database looks like once the app that defines the class is not installed any more."""
    gone = ContentType.objects.create(app_label="gone", model="gone")
    Action.objects.instance_of(model).non_polymorphic().update(polymorphic_ctype=gone)
    for snapshot in Snapshot.objects.all():
        for part in snapshot.definition["actions"]:
            if part["type"] == model._meta.label:
                part["type"] = "gone.Gone"
        snapshot.save()


@pytest.mark.parametrize("is_removed", [False, True])
def test_a_class_that_is_gone_ends_the_run(ada, way, is_removed):
    run = begin(ada, way, probe.RecordEffectAction())
    if is_removed:
        probe.RecordEffectAction.objects.all().delete()
    uninstall(probe.RecordEffectAction)
    run = go_on(run, way)
    assert (run.status, run.code, effects()) == ("failed", "component_missing", {})


def test_a_class_that_was_added_and_is_gone_does_not_concern_the_run(ada, way):
    run = begin(ada, way, probe.RecordEffectAction())
    probe.TokenAction.objects.create(trigger_id=run.trigger_id, position=9)
    uninstall(probe.TokenAction)
    assert go_on(run, way).status == "succeeded"


def test_secrets_are_not_copied_and_those_of_today_are_used(ada, way):
    run = begin(ada, way, probe.TokenAction(token="s3cret", label="old"))
    assert "s3cret" not in str(Snapshot.objects.get().definition)
    probe.TokenAction.objects.update(token="rotated", label="new")
    assert go_on(run, way).status == "succeeded"
    assert effects() == {"old rotated": 1}


def test_a_run_whose_secrets_are_gone_ends_when_it_needs_them(ada, way):
    run = begin(ada, way, probe.TokenAction(token="s3cret"))
    probe.TokenAction.objects.all().delete()
    run = go_on(run, way)
    assert (run.status, run.code) == ("failed", "secret_missing")
    assert run.detail == (
        "“token action” was deleted while the run waited, and its secrets with it: they are not kept with the rest of "
        "the definition."
    )


def test_secrets_that_are_not_needed_any_more_may_go(ada):
    a_trigger(probe.TokenAction(token="s3cret"), probe.WaitAction(seconds=10), probe.RecordEffectAction())
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    advance([run.pk])
    probe.TokenAction.objects.all().delete()
    assert go_on(run, "the timeout").status == "succeeded"


def test_columns_that_were_added_since_have_their_defaults(ada, way):
    run = begin(ada, way, probe.RecordEffectAction(label="old"))
    snapshot = Snapshot.objects.get()
    for part in snapshot.definition["actions"]:
        del part["columns"]["on_failure"]
        part["columns"].pop("label", None)
        part["columns"]["no_more"] = "a column that was removed"
    snapshot.save()
    probe.RecordEffectAction.objects.update(label="new")
    assert go_on(run, way).status == "succeeded"
    assert effects() == {"effect": 1}


def test_conditions_are_asked_again_as_they_were_and_limits_are_not(ada, way):
    task = Task.objects.create(user=ada, name="write")
    conditions = [HasUncompletedTaskCondition(), ActionCountCondition(limit=1)]
    run = begin(ada, way, probe.RecheckAction(), probe.RecordEffectAction(), conditions=conditions)
    HasUncompletedTaskCondition.objects.all().delete()
    Task.objects.filter(pk=task.pk).update(is_completed=True)
    run = go_on(run, way)
    assert (run.status, run.code, effects()) == ("succeeded", "stopped", {})
    assert run.detail == "The condition “has an uncompleted task” does not hold."
    assert run.decision["type"] == "app.HasUncompletedTaskCondition"


def test_a_run_whose_conditions_hold_still_goes_on(ada, way):
    Task.objects.create(user=ada, name="write")
    conditions = [HasUncompletedTaskCondition(), ActionCountCondition(limit=1)]
    run = begin(ada, way, probe.RecheckAction(), probe.RecordEffectAction(), conditions=conditions)
    run = go_on(run, way)
    assert (run.status, run.code, run.decision, effects()) == ("succeeded", "", None, {"effect": 1})


@pytest.mark.parametrize("kind", [probe.RaisingCondition, probe.BrokenFilterCondition])
def test_a_condition_that_raises_is_a_failed_attempt(ada, kind):
    trigger = a_trigger(probe.WaitAction(seconds=1), probe.RecheckAction(), probe.RecordEffectAction())
    run = fire(probe.ProbeEvent, users=ada).runs.get()
    advance([run.pk])
    condition = kind(trigger=trigger, **({"usernames": "ada"} if kind is probe.RaisingCondition else {}))
    condition.save()
    Run.objects.update(snapshot=None)  # as if it followed today's definition
    run = go_on(run, "the timeout")
    assert (run.status, effects()) == ("waiting", {})
    assert run.steps.last().error_message.startswith(f"The condition “{condition}” could not be evaluated")


def test_runs_of_both_definitions_are_served_together_each_by_its_own(ada, bob):
    a_trigger(probe.WaitAction(seconds=10), probe.BulkEffectAction(label="old"))
    first = fire(probe.ProbeEvent, users=ada).runs.get()
    advance([first.pk])
    probe.BulkEffectAction.objects.update(label="new")
    second = fire(probe.ProbeEvent, users=bob).runs.get()
    advance([second.pk])
    advance([first.pk, second.pk], now=timezone.now() + timedelta(days=1))
    assert effects() == {"old": 1, "new": 1}
    assert Snapshot.objects.count() == 2


def test_equal_definitions_are_kept_once_and_forgotten_with_the_last_run(ada, bob):
    run = begin(ada, "a plain wait", probe.RecordEffectAction())
    other = fire(probe.ProbeEvent, users=bob).runs.get()
    advance([other.pk])
    assert Snapshot.objects.count() == 1
    long_ago = timezone.now() - timedelta(days=400)
    Snapshot.objects.update(used_at=long_ago)
    list(pruning.prune(timedelta(days=90)))
    assert Snapshot.objects.count() == 1
    Run.objects.all().delete()
    list(pruning.prune(timedelta(days=90)))
    assert not Snapshot.objects.exists()
    assert run.trigger_name == "probe"


def test_a_definition_that_is_used_again_is_not_forgotten(ada, bob):
    begin(ada, "a plain wait", probe.RecordEffectAction())
    Snapshot.objects.update(used_at=timezone.now() - timedelta(days=400))
    other = fire(probe.ProbeEvent, users=bob).runs.get()
    advance([other.pk])
    assert Snapshot.objects.get().used_at > timezone.now() - timedelta(hours=1)


def test_fields_of_every_kind_come_back_as_they_were(ada):
    group = Group.objects.create(name="group")
    condition = VariedCondition(
        ip="::1",
        maybe=True,
        big=2**40,
        ratio=0.1,
        amount=Decimal("12.30"),
        day=date(2026, 3, 1),
        moment=datetime(2026, 3, 1, 9, 30, 0, 123, tzinfo=UTC),
        time=time(9, 30),
        period=timedelta(days=3, microseconds=5),
        uuid=uuid4(),
        data={"a": [1, 2.5, None, {"b": "c"}]},
        group=group,
        person=ada,
    )
    trigger = a_trigger(probe.WaitAction(), conditions=[condition])
    condition.groups.add(group)
    definition = load_definitions({trigger.pk}, "default")[trigger.pk]
    digest = snapshots.keep(definition, trigger.events.get(), timezone.now(), "default")
    run = Run(snapshot_id=digest)
    VariedCondition.objects.update(text="other")
    today = load_definitions({trigger.pk}, "default")[trigger.pk]

    kept, event = snapshots.Pins([run], "default").of(run, today, trigger.events.get())

    assert event == trigger.events.get()
    (before,), (after,) = definition.conditions, kept.conditions
    assert type(after) is VariedCondition
    assert isinstance(after.version, Version)
    for field in VariedCondition._meta.concrete_fields:
        value, again = getattr(before, field.attname), getattr(after, field.attname)
        assert (type(again), str(again)) == (type(value), str(value)), field
    assert [after.group, after.person, *after.groups.all()] == [group, ada, group]
