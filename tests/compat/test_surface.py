"""What the code of a project on dj-triggers says, and finds, is what it said and found there."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import OperationalError, connection, models, transaction
from django.dispatch import Signal
from django.test import Client
from django.urls import reverse
from polymorphic.models import PolymorphicModel

from tests.acceptance.scenario import a_trigger, counted, effects, wait_for_runs
from tests.app import celery_app
from tests.app.models import ClockEvent
from tests.probe.models import (
    DecliningAction,
    Effect,
    PickyEvent,
    ProbeEvent,
    RaisingCondition,
    RecordEffectAction,
    UsernameCondition,
)
from tests.servers.worker import Worker
from triggers import conf, fire
from triggers.expansion import expand
from triggers.models import (
    Action,
    ActionCountCondition,
    ActionFrequencyCondition,
    Activity,
    AudienceChunk,
    Condition,
    Event,
    Occurrence,
    Run,
    Trigger,
)
from triggers.running import advance
from triggers.tasks import handle_event


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", "ada@example.com")


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", "bob@example.com")


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, dict[str, Any]]]:
    """The users and contexts that the action has been performed with."""
    heard: list[tuple[Any, dict[str, Any]]] = []

    def perform(self: Action, user: Any, context: dict[str, Any]) -> None:
        heard.append((user, context))

    monkeypatch.setattr(RecordEffectAction, "perform", perform)
    return heard


def the_event(trigger: Trigger) -> Event:
    return trigger.events.get()


def configured(*conditions: Condition, event: Event | None = None) -> Event:
    """The event of an enabled trigger with these conditions and an action."""
    return the_event(a_trigger(RecordEffectAction(), conditions=conditions, event=event))


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            "triggers.models.Action",
            "triggers.models.ActionCountCondition",
            "triggers.models.ActionFrequencyCondition",
            "triggers.models.Activity",
            "triggers.models.Activity.Cancel",
            "triggers.models.Activity.lock",
            "triggers.models.Condition",
            "triggers.models.Event",
            "triggers.models.Event.fired",
            "triggers.models.Trigger",
            "triggers.models.Trigger.is_active",
            "triggers.tasks.handle_event",
            "triggers.admin.TriggerAdmin",
            "triggers.admin.ActionInline",
            "triggers.admin.ConditionInline",
            "triggers.admin.EventInline",
        ],
    )
    def test_it_is_imported_from_where_it_was(self, name: str) -> None:
        module, _, attributes = name.removeprefix("triggers.").partition(".")
        found: Any = import_module(f"triggers.{module}")
        for attribute in attributes.split("."):
            found = getattr(found, attribute)

    @pytest.mark.parametrize(
        ("method", "parameters"),
        [
            (Event.should_be_fired, ["self", "**context"]),
            (Event.get_user_context, ["self", "user", "context"]),
            (Event.fire, ["self", "user_queryset", "**context"]),
            (Event.fire_single, ["self", "user_pk", "**context"]),
            (Event.handle, ["self", "user_pk", "**context"]),
            (Condition.is_satisfied, ["self", "user"]),
            (Condition.filter_user_queryset, ["self", "user_queryset"]),
            (Action.perform, ["self", "user", "context"]),
            (Trigger.filter_user_queryset, ["self", "user_queryset"]),
            (Trigger.on_event, ["self", "user", "context"]),
            (Activity.lock, ["user", "trigger"]),
            (handle_event.run, ["event_pk", "user_pk", "**context"]),
        ],
        ids=lambda value: getattr(value, "__qualname__", None),
    )
    def test_it_is_called_as_it_was(self, method: Callable[..., Any], parameters: list[str]) -> None:
        signature = inspect.signature(method).parameters.values()
        assert [f"**{each.name}" if each.kind is each.VAR_KEYWORD else each.name for each in signature] == parameters

    def test_the_models_are_polymorphic_and_fired_is_a_signal(self) -> None:
        for model in (Trigger, Event, Condition, Action, Activity):
            assert issubclass(model, PolymorphicModel)
        assert isinstance(Event.fired, Signal)

    def test_the_core_brings_no_component_but_the_two_limits(self) -> None:
        of_the_core = apps.get_app_config("triggers").get_models()
        components = {model for model in of_the_core if issubclass(model, Event | Condition | Action)}
        assert components - {Event, Condition, Action} == {ActionCountCondition, ActionFrequencyCondition}

    def test_the_settings_are_read_by_these_names(self) -> None:
        assert {
            "TRIGGERS_CHUNK_SIZE",
            "TRIGGERS_HANDOVER_GRACE",
            "TRIGGERS_LEASE",
            "TRIGGERS_MAX_DEPTH",
            "TRIGGERS_MAX_LOSSES",
            "TRIGGERS_SWEEP_INTERVAL",
        } <= set(conf.DEFAULTS)

    def test_related_objects_have_their_names(self, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction(), conditions=[ActionCountCondition()])
        activity = Activity.objects.create(trigger=trigger, user=ada)
        assert [type(event) for event in trigger.events.all()] == [ProbeEvent]
        assert [type(condition) for condition in trigger.conditions.all()] == [ActionCountCondition]
        assert [type(action) for action in trigger.actions.all()] == [RecordEffectAction]
        assert list(trigger.activities.all()) == [activity]
        assert list(ada.trigger_activities.all()) == [activity]

    def test_queries_use_the_singular(self, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction(), conditions=[ActionCountCondition()])
        Activity.objects.create(trigger=trigger, user=ada, action_count=7)
        for query in ("event", "condition", "action", "activity"):
            assert list(Trigger.objects.filter(**{f"{query}__isnull": False})) == [trigger]
        assert list(User.objects.filter(trigger_activity__action_count=7)) == [ada]


class TestTables:
    @pytest.mark.parametrize(
        ("table", "columns"),
        [
            ("triggers_trigger", {"id", "name", "is_enabled", "polymorphic_ctype_id"}),
            ("triggers_event", {"id", "trigger_id", "delay", "polymorphic_ctype_id"}),
            ("triggers_condition", {"id", "trigger_id", "polymorphic_ctype_id"}),
            ("triggers_action", {"id", "trigger_id", "polymorphic_ctype_id"}),
            (
                "triggers_activity",
                {"id", "trigger_id", "user_id", "last_action_datetime", "action_count", "polymorphic_ctype_id"},
            ),
            ("triggers_actioncountcondition", {"condition_ptr_id", "limit"}),
            ("triggers_actionfrequencycondition", {"condition_ptr_id", "limit"}),
        ],
    )
    def test_a_table_has_the_columns_that_it_had(self, db: None, table: str, columns: set[str]) -> None:
        with connection.cursor() as cursor:
            found = {column.name for column in connection.introspection.get_table_description(cursor, table)}
        assert columns <= found

    def test_names_are_unique_and_short(self) -> None:
        name = Trigger._meta.get_field("name")
        assert (name.max_length, name.unique) == (64, True)

    def test_there_is_one_activity_for_each_trigger_and_user(self, db: None) -> None:
        assert Activity._meta.unique_together == (("trigger", "user"),)
        with connection.cursor() as cursor:
            constraints = connection.introspection.get_constraints(cursor, "triggers_activity").values()
        assert ["trigger_id", "user_id"] in [each["columns"] for each in constraints if each["unique"]]

    def test_what_was_nullable_is_and_nothing_else(self) -> None:
        assert Action._meta.get_field("trigger").null
        assert Activity._meta.get_field("last_action_datetime").null
        assert not Event._meta.get_field("trigger").null
        assert not Condition._meta.get_field("trigger").null

    def test_keys_are_large(self) -> None:
        for model in (Trigger, Event, Condition, Action, Activity):
            assert type(model._meta.pk) is models.BigAutoField


class TestWords:
    def test_a_component_is_called_by_its_verbose_name(self) -> None:
        assert str(ClockEvent()) == "clock"
        assert str(RecordEffectAction()) == "record effect action"
        assert str(UsernameCondition()) == "username condition"

    def test_limits_say_what_they_allow(self) -> None:
        assert str(ActionCountCondition()) == "action count no more than 1"
        frequency = ActionFrequencyCondition(limit=timedelta(days=1))
        assert str(frequency) == "action frequency no less than 1 day, 0:00:00"
        assert ActionFrequencyCondition().limit == timedelta(days=30)

    def test_triggers_and_activities_are_called_as_they_were(self, ada: User) -> None:
        trigger = a_trigger(name="praise")
        assert str(trigger) == "praise"
        assert str(Activity(trigger=trigger, user=ada)) == "praise - ada"


class TestTheOneAction:
    """``trigger.action``, from when a trigger had one."""

    def test_it_is_the_first_and_warns(self, db: None) -> None:
        trigger = a_trigger(RecordEffectAction(label="first"), RecordEffectAction(label="second"))
        with pytest.warns(DeprecationWarning, match="Trigger.actions"):
            action: Any = trigger.action
        assert action.label == "first"

    @pytest.mark.filterwarnings("ignore:Trigger.action")
    def test_without_one_it_is_missing_as_it_was(self, db: None) -> None:
        trigger = a_trigger()
        assert not hasattr(trigger, "action")
        with pytest.raises(Action.DoesNotExist):
            trigger.action  # noqa: B018
        assert hasattr(a_trigger(RecordEffectAction(), name="other"), "action")

    def test_a_trigger_is_active_when_it_is_enabled_and_has_one(self, db: None) -> None:
        assert a_trigger(RecordEffectAction(), name="on").is_active
        assert not a_trigger(RecordEffectAction(), name="off", is_enabled=False).is_active
        assert not a_trigger(name="empty").is_active


class TestFiring:
    def test_fire_reaches_the_users_of_a_queryset(self, ada: User, bob: User) -> None:
        configured().fire(User.objects.filter(username="ada"), a=1)
        expand(AudienceChunk.objects.get().pk)
        assert [run.user_id for run in Run.objects.all()] == [ada.pk]

    def test_fire_single_reaches_one(self, ada: User, bob: User) -> None:
        configured().fire_single(ada.pk, a=1)
        assert [run.user_id for run in Run.objects.all()] == [ada.pk]

    @pytest.mark.parametrize("user_pk", [None, 4711])
    def test_fire_single_for_nobody_starts_nothing(self, db: None, user_pk: Any) -> None:
        configured().fire_single(user_pk)
        assert not Run.objects.exists()

    def test_an_event_that_should_not_be_fired_is_not(self, ada: User) -> None:
        configured(event=PickyEvent()).fire_single(ada.pk)
        assert not Run.objects.exists()

    def test_fired_is_sent_for_each_user_with_the_context(self, ada: User, bob: User) -> None:
        heard = []

        def listener(sender: Any, *, signal: Signal, event: Event, user_pk: Any, **context: Any) -> None:
            heard.append((sender, event, user_pk, context))

        event = configured()
        Event.fired.connect(listener)
        try:
            event.fire_single(ada.pk, a=1)
            event.fire(User.objects.filter(pk=bob.pk), a=2)
            expand(AudienceChunk.objects.get().pk)
        finally:
            Event.fired.disconnect(listener)
        assert heard == [(ProbeEvent, event, ada.pk, {"a": 1}), (ProbeEvent, event, bob.pk, {"a": 2})]

    def test_perform_gets_the_user_and_what_fire_was_given(self, ada: User, heard: list[Any]) -> None:
        configured().fire_single(ada.pk, a=1)
        advance([Run.objects.get().pk])
        assert heard == [(ada, {"user": ada, "a": 1})]

    def test_queryset_conditions_are_checked_at_fire(self, ada: User) -> None:
        event = configured(UsernameCondition(prefix="b"))
        event.fire_single(ada.pk)
        assert Run.objects.get().status == "skipped"
        event.fire(User.objects.all())
        assert not AudienceChunk.objects.exists()

    def test_conditions_of_both_kinds_are_checked_when_the_delay_is_over(self, ada: User, bob: User) -> None:
        event = configured(UsernameCondition(prefix="b"), event=ProbeEvent(delay=timedelta(hours=1)))
        fire(ProbeEvent, users=bob)
        run = Run.objects.get()
        (left,) = advance([run.pk])
        assert left.due_at == run.due_at
        User.objects.filter(pk=bob.pk).update(username="carl")
        advance([run.pk], now=run.due_at)
        run.refresh_from_db()
        assert (run.status, run.code) == ("skipped", "condition_failed")

        event.trigger.conditions.all().delete()
        RaisingCondition.objects.create(trigger=event.trigger, usernames="ada")
        fire(ProbeEvent, users=ada)
        run = Run.objects.latest("pk")
        assert run.status == "pending"
        advance([run.pk], now=run.due_at)
        run.refresh_from_db()
        assert run.code == "condition_error"

    def test_a_condition_may_be_asked_either_way(self, ada: User, bob: User) -> None:
        condition = UsernameCondition(trigger=a_trigger(), prefix="a")
        assert condition.is_satisfied(ada)
        assert not condition.is_satisfied(bob)
        assert list(condition.filter_user_queryset(User.objects.all())) == [ada]
        assert list(RaisingCondition().filter_user_queryset(User.objects.order_by("pk"))) == [ada, bob]

    def test_the_trigger_filters_users_by_all_its_conditions(self, ada: User, bob: User) -> None:
        trigger = a_trigger(
            RecordEffectAction(), conditions=[UsernameCondition(prefix="a"), ActionCountCondition(limit=1)]
        )
        assert list(trigger.filter_user_queryset(User.objects.all())) == [ada]
        Activity.objects.create(trigger=trigger, user=ada, action_count=1)
        assert not trigger.filter_user_queryset(User.objects.all())
        Activity.objects.update(action_count=0)
        trigger.is_enabled = False
        assert not trigger.filter_user_queryset(User.objects.all())


class TestHandling:
    """Performing here and now, as the task of dj-triggers did."""

    def test_handle_performs_before_it_returns_whatever_the_delay_and_should_be_fired(
        self, ada: User, heard: list[Any]
    ) -> None:
        configured(event=PickyEvent(delay=timedelta(days=1))).handle(ada.pk, a=1)
        assert heard == [(ada, {"user": ada, "a": 1})]

    def test_handle_asks_the_conditions(self, ada: User, heard: list[Any]) -> None:
        configured(UsernameCondition(prefix="b")).handle(ada.pk)
        assert heard == []

    def test_the_task_does_so_once_for_each_message(self, ada: User) -> None:
        event = configured()
        for message in ("first", "second", "first"):
            handle_event.apply(args=(event.pk, ada.pk), kwargs={"a": 1}, task_id=message)
        assert effects() == {"effect": 2}
        assert sorted(Occurrence.objects.values_list("key", flat=True)) == ["first", "second"]

    def test_the_task_is_called_by_name_and_by_keyword(self, ada: User) -> None:
        assert handle_event.name == "triggers.tasks.handle_event"
        handle_event(event_pk=configured().pk, user_pk=ada.pk, a=1)
        assert effects() == {"effect": 1}

    def test_a_worker_understands_the_messages_that_were_left(self, worker: Worker) -> None:
        people = User.objects.bulk_create([User(username="ada"), User(username="bob")])
        event = configured()
        for user in people:
            for _delivery in range(2):
                celery_app.send_task(
                    "triggers.tasks.handle_event",
                    args=(event.pk, user.pk),
                    kwargs={"task_id": 42},
                    countdown=0.5,
                    task_id=f"message for {user.username}",
                )
        wait_for_runs(2)
        assert sorted(Effect.objects.values_list("user_pk", flat=True)) == [user.pk for user in people]


class TestOnEvent:
    def test_it_performs_at_once_and_leaves_no_record(self, ada: User, heard: list[Any]) -> None:
        trigger = a_trigger(RecordEffectAction(), RecordEffectAction())
        trigger.on_event(ada, {"a": 1})
        assert heard == [(ada, {"a": 1}), (ada, {"a": 1})]
        assert counted(trigger) == {ada.pk: 1}
        assert not Occurrence.objects.exists()

    def test_it_asks_the_conditions(self, ada: User, heard: list[Any]) -> None:
        trigger = a_trigger(RecordEffectAction(), conditions=[UsernameCondition(prefix="b")])
        trigger.on_event(ada, {})
        trigger.on_event(None, {})
        assert heard == []

    def test_an_action_that_declines_is_not_counted(self, ada: User, tmp_path: Path) -> None:
        trigger = a_trigger(DecliningAction(folder=str(tmp_path)))
        trigger.on_event(ada, {})
        assert counted(trigger) == {ada.pk: 0}


class TestTheLock:
    def test_an_action_is_counted_at_its_end(self, ada: User) -> None:
        trigger = a_trigger()
        with Activity.lock(ada, trigger) as activity:
            assert (activity.action_count, activity.last_action_datetime) == (0, None)
        activity.refresh_from_db()
        assert activity.action_count == 1
        assert activity.last_action_datetime is not None

    def test_cancel_leaves_it_uncounted_and_goes_no_further(self, ada: User) -> None:
        trigger = a_trigger()
        with Activity.lock(ada, trigger):
            raise Activity.Cancel
        assert counted(trigger) == {ada.pk: 0}

    def test_another_error_goes_on_and_leaves_it_uncounted(self, ada: User) -> None:
        trigger = a_trigger()
        with pytest.raises(ZeroDivisionError), Activity.lock(ada, trigger):
            raise ZeroDivisionError
        assert counted(trigger) == {ada.pk: 0}

    @pytest.mark.postgresql
    @pytest.mark.django_db(transaction=True)
    def test_nobody_else_has_it_meanwhile(self) -> None:
        trigger, user = a_trigger(), User.objects.create(username="ada")
        found = []

        def look() -> None:
            try:
                with transaction.atomic():
                    Activity.objects.select_for_update(nowait=True).get()
            except OperationalError as error:
                found.append(error)
            finally:
                connection.close()

        with Activity.lock(user, trigger):
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
        assert len(found) == 1


class TestTheAdmin:
    def formsets(self, client: Client) -> dict[str, Any]:
        response = client.get(reverse("admin:triggers_trigger_add"))
        return {inline.formset.prefix: inline.formset for inline in response.context["inline_admin_formsets"]}

    def test_formsets_have_their_prefixes(self, admin_client: Client) -> None:
        assert set(self.formsets(admin_client)) == {"actions", "events", "conditions"}

    def test_components_come_in_the_order_of_their_names(self, admin_client: Client) -> None:
        for formset in self.formsets(admin_client).values():
            names = [str(model._meta.verbose_name).lower() for model in formset.child_forms]
            assert names == sorted(names)

    def test_a_class_has_its_say_about_its_form(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        hook = classmethod(lambda cls: {"exclude": ["label"]})
        assert "label" in self.formsets(admin_client)["actions"].child_forms[RecordEffectAction].base_fields
        monkeypatch.setattr(RecordEffectAction, "admin_initkwargs", hook, raising=False)
        assert "label" not in self.formsets(admin_client)["actions"].child_forms[RecordEffectAction].base_fields


def test_rows_may_be_added_by_processes_that_know_the_old_columns_only(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO triggers_trigger (name, is_enabled) VALUES ('old', %s)", [True])
        trigger: Any = Trigger.objects.non_polymorphic().get(name="old")
        cursor.execute("INSERT INTO triggers_action (trigger_id) VALUES (%s)", [trigger.pk])
    action: Any = Action.objects.non_polymorphic().get(trigger_id=trigger.pk)
    assert (trigger.description, trigger.engine, action.position, action.on_failure) == ("", "", 0, "stop")
