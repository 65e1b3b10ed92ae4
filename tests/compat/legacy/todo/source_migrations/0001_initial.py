"""The app's tables, for people whose dj-triggers was the later source."""

from importlib import import_module

from django.db import migrations

released = import_module("todo.migrations.0001_initial").Migration


class Migration(migrations.Migration):
    initial = True
    dependencies = [*released.dependencies, ("triggers", "0006_remove_action_trigger_old")]
    operations = released.operations
