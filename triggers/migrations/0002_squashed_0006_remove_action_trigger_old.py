"""A trigger has any number of actions, as in the later source of dj-triggers."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("triggers", "0004_alter_action_trigger"),
        ("triggers", "0005_alter_action_triggers"),
        ("triggers", "0006_remove_action_trigger_old"),
    ]

    dependencies = [("triggers", "0001_squashed_0003_event_delay")]

    operations = [
        migrations.AlterField(
            model_name="action",
            name="trigger",
            field=models.ForeignKey(
                "triggers.trigger",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="actions",
                related_query_name="action",
                verbose_name="trigger",
            ),
        ),
    ]
