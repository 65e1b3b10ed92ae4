from datetime import timedelta
from typing import Any

from django.apps import apps as installed_apps
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone


class Command(BaseCommand):
    help = "Make people and triggers, by the models of dj-triggers as it was."

    def handle(self, *args: Any, **options: Any) -> None:
        apps: Any = installed_apps
        if "triggers" in settings.MIGRATION_MODULES:
            loader = MigrationExecutor(connection).loader
            apps = loader.project_state(list(loader.applied_migrations)).apps
        self.content_types = apps.get_model("contenttypes", "ContentType").objects
        self.get_model = apps.get_model
        self.people()
        self.triggers()

    def people(self) -> None:
        people = self.get_model("auth", "User").objects
        self.ada = people.create(username="ada", email="ada@example.com")
        self.bob = people.create(username="bob", email="bob@example.com", is_active=False)
        self.cyd = people.create(username="cyd")
        self.dan = people.create(username="dan", email="dan@example.com")
        self.eve = people.create(username="eve", email="eve@example.com")

    def triggers(self) -> None:
        now = timezone.now()
        praise = self.add("triggers.Trigger", name="praise", is_enabled=True)
        self.add("todo.TaskCompletedEvent", trigger=praise, important_only=True)
        self.add("todo.IsActiveCondition", trigger=praise)
        self.add("todo.HasEmailCondition", trigger=praise)
        self.add("triggers.ActionCountCondition", trigger=praise, limit=2)
        self.add("triggers.ActionFrequencyCondition", trigger=praise, limit=timedelta(days=7))
        self.add("todo.SendMessageAction", trigger=praise, text="Well done")
        self.count(praise, self.ada, 1, now - timedelta(days=8))
        self.count(praise, self.dan, 2, now - timedelta(days=8))
        self.count(praise, self.eve, 1, now - timedelta(days=6))

        each = self.add("triggers.Trigger", name="each time", is_enabled=True)
        self.add("todo.TaskCompletedEvent", trigger=each, delay=timedelta(hours=1))
        self.add("todo.SendMessageAction", trigger=each, text="Completed")
        self.count(each, self.bob, 40, None)

        off = self.add("triggers.Trigger", name="off", is_enabled=False)
        self.add("todo.TaskCompletedEvent", trigger=off)
        self.add("todo.SendMessageAction", trigger=off, text="Never")

        empty = self.add("triggers.Trigger", name="empty", is_enabled=True)
        self.add("todo.TaskCompletedEvent", trigger=empty)

    def add(self, label: str, **fields: Any) -> Any:
        app_label, name = label.split(".")
        content_type, _ = self.content_types.get_or_create(app_label=app_label, model=name.lower())
        return self.get_model(label).objects.create(polymorphic_ctype=content_type, **fields)

    def count(self, trigger: Any, user: Any, actions: int, last: Any) -> None:
        self.add("triggers.Activity", trigger=trigger, user=user, action_count=actions, last_action_datetime=last)
