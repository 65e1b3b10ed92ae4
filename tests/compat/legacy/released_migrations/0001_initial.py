"""The tables as dj-triggers 1.0.1 left them, under the names that it recorded: here in one, there in three steps."""

from importlib import import_module

from django.db import migrations

tables = import_module("triggers.migrations.0001_squashed_0003_event_delay").Migration


class Migration(migrations.Migration):
    initial = True
    dependencies = tables.dependencies
    operations = tables.operations
