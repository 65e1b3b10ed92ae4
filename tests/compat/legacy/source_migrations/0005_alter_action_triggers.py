import django.db.models.deletion
from django.db import migrations, models


def foreign_key(related_name, related_query_name):
    return models.ForeignKey(
        "triggers.trigger",
        null=True,
        on_delete=django.db.models.deletion.CASCADE,
        related_name=related_name,
        related_query_name=related_query_name,
        verbose_name="trigger",
    )


class Migration(migrations.Migration):
    dependencies = [("triggers", "0004_alter_action_trigger")]

    operations = [
        migrations.RenameField("action", "trigger", "trigger_old"),
        migrations.RenameField("action", "trigger_new", "trigger"),
        migrations.AlterField("action", "trigger", foreign_key("actions", "action")),
        migrations.AlterField("action", "trigger_old", foreign_key("actions_old", "action_old")),
    ]
