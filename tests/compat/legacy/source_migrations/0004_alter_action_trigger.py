"""The later source of dj-triggers moved Action.trigger to a second column, here with plain SQL."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("triggers", "0003_event_delay")]

    operations = [
        migrations.AddField(
            "action",
            "trigger_new",
            models.ForeignKey(
                "triggers.trigger", null=True, on_delete=django.db.models.deletion.CASCADE, related_name="actions_new"
            ),
        ),
        migrations.RunSQL("UPDATE triggers_action SET trigger_new_id = trigger_id"),
    ]
