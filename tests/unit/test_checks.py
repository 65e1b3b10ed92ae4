"""Each system check is seen to find what it is for, and to find nothing where there is nothing."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import connection, connections

from tests.app.models import TaskCompletedEvent
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers import checks
from triggers.models import Trigger


def found(check, *arguments, **keywords):
    return [(message.id, message.msg, message.hint) for message in check(None, *arguments, **keywords)]


@pytest.mark.django_db
def test_the_example_project_has_nothing_to_mend():
    assert [message for message in run_checks(databases=["default"]) if str(message.id).startswith("triggers.")] == []


async def perform(self, user, context):
    return None


@pytest.mark.parametrize(
    ("model", "name", "value", "id_", "hint"),
    [
        (RecordEffectAction, "perform", perform, "triggers.E001", "asgiref.sync.async_to_sync"),
        (RecordEffectAction, "max_attempts", 0, "triggers.E002", "1 or more"),
        (ProbeEvent, "fire", lambda self, users: None, "triggers.W001", "should_be_fired"),
        (ProbeEvent, "fire_single", lambda self, user: None, "triggers.W001", "should_be_fired"),
        (ProbeEvent, "handle", lambda self, user: None, "triggers.W001", "get_user_context"),
    ],
)
def test_a_component_class_that_does_not_do_what_it_seems_to(monkeypatch, model, name, value, id_, hint):
    monkeypatch.setattr(model, name, value)
    ((found_id, message, found_hint),) = found(checks.check_components)
    assert found_id == id_
    assert model._meta.label in message
    assert hint in found_hint


def test_a_reserved_field_name(monkeypatch):
    field = RecordEffectAction._meta.get_field("label")
    monkeypatch.setattr(field, "name", "timeout")
    ((id_, message, hint),) = found(checks.check_components)
    assert id_ == "triggers.E003"
    assert "probe.RecordEffectAction.timeout" in message
    assert "db_column" in hint


def test_two_classes_of_one_name(monkeypatch):
    monkeypatch.setattr(ProbeEvent._meta, "verbose_name", TaskCompletedEvent._meta.verbose_name)
    ((id_, message, _hint),) = found(checks.check_components)
    assert id_ == "triggers.W008"
    assert "app.TaskCompletedEvent and probe.ProbeEvent" in message


@pytest.mark.parametrize(
    ("name", "value", "id_", "hint"),
    [
        ("TRIGGERS_LAESE", timedelta(minutes=1), "triggers.W002", "Did you mean TRIGGERS_LEASE?"),
        (
            "TRIGGERS_SOMETHING_ELSE_ALTOGETHER",
            1,
            "triggers.W002",
            "The settings are TRIGGERS_AUD",
        ),
        ("TRIGGERS_LEASE", 120, "triggers.E004", "Write TRIGGERS_LEASE = timedelta(seconds=120)."),
        ("TRIGGERS_CHUNK_SIZE", "100", "triggers.E004", "Write TRIGGERS_CHUNK_SIZE = 100."),
        ("TRIGGERS_LEASE", None, "triggers.E004", "Write TRIGGERS_LEASE"),
        ("TRIGGERS_CHUNK_SIZE", 0, "triggers.E005", "Raise it."),
        ("TRIGGERS_AUDIENCES", ["all"], "triggers.E004", "Write TRIGGERS_AUDIENCES = {}."),
        ("TRIGGERS_AUDIENCES", {"all": "tests.app.audiences.task_owners"}, "triggers.E007", "Give yours another name."),
        ("TRIGGERS_AUDIENCES", {"": "tests.app.audiences.task_owners"}, "triggers.E007", "1 to 64 characters"),
        ("TRIGGERS_AUDIENCES", {1: "tests.app.audiences.task_owners"}, "triggers.E007", "1 to 64 characters"),
        ("TRIGGERS_AUDIENCES", {"a": print}, "triggers.E007", "Write the dotted path"),
        ("TRIGGERS_AUDIENCES", {"a": "tests.app.nothing.here"}, "triggers.E007", "Correct the path."),
        ("TRIGGERS_AUDIENCES", {"a": "nothing"}, "triggers.E007", "Correct the path."),
        ("TRIGGERS_AUDIENCES", {"a": "tests.app.settings.ROOT_URLCONF"}, "triggers.E007", "a callable"),
        ("TRIGGERS_USER_FIELDS", {"city": None}, "triggers.E012", "profile.city"),
        ("TRIGGERS_USER_FIELDS", {"the city": "profile.city"}, "triggers.E012", "profile.city"),
        ("TRIGGERS_SWEEP_INTERVAL", timedelta(minutes=3), "triggers.W003", "small part of the lease"),
    ],
)
def test_a_setting_that_is_wrong(settings, name, value, id_, hint):
    setattr(settings, name, value)
    ((found_id, message, found_hint),) = found(checks.check_settings)
    assert found_id == id_
    assert name in message
    assert hint in found_hint


def test_audiences_that_can_be_read_are_fine(settings):
    settings.TRIGGERS_AUDIENCES = {"task owners": "tests.app.audiences.task_owners"}
    assert found(checks.check_settings) == []


def test_the_settings_of_the_http_api_are_its_own(settings):
    settings.TRIGGERS_API_PAGE_SIZE = 10
    assert found(checks.check_settings) == []


def test_retention_may_be_none(settings):
    settings.TRIGGERS_RETENTION = None
    assert found(checks.check_settings) == []


def test_an_app_that_is_missing(monkeypatch):
    monkeypatch.setattr(apps, "is_installed", lambda name: name != "polymorphic")
    assert found(checks.check_apps) == [
        (
            "triggers.E006",
            "triggers needs the app polymorphic.",
            "Add 'polymorphic' to INSTALLED_APPS, before 'triggers'.",
        )
    ]


@pytest.mark.django_db
class TestDatabase:
    def test_other_databases_are_not_looked_at(self):
        assert found(checks.check_database) == []
        assert found(checks.check_database, databases=["other"]) == []

    def test_a_database_that_is_not_supported(self, monkeypatch):
        monkeypatch.setattr(connections["default"], "vendor", "oracle")
        assert [id_ for id_, _, _ in found(checks.check_database, databases=["default"])] == ["triggers.W005"]

    def test_sqlite_that_is_not_set_up_for_several_processes(self, monkeypatch):
        monkeypatch.setattr(connections["default"], "vendor", "sqlite")
        monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})
        ((id_, _message, hint),) = found(checks.check_database, databases=["default"])
        assert id_ == "triggers.W006"
        assert "IMMEDIATE" in hint

    @pytest.mark.postgresql
    def test_an_isolation_level_under_which_locks_come_too_late(self):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert [id_ for id_, _, _ in found(checks.check_database, databases=["default"])] == ["triggers.W007"]


def test_a_trigger_class_that_overrides_on_event(monkeypatch):
    class Custom(Trigger):
        class Meta:
            app_label = "probe"
            proxy = True

        def on_event(self, user, context):
            return None

    try:
        ((id_, message, _hint),) = found(checks.check_components)
        assert id_ == "triggers.W001"
        assert "probe.Custom overrides on_event" in message
    finally:
        del apps.all_models["probe"]["custom"]
        apps.clear_cache()
