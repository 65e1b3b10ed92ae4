from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("triggers", "0005_alter_action_triggers")]

    operations = [migrations.RemoveField("action", "trigger_old")]
