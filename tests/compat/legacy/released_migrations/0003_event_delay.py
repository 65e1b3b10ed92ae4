from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("triggers", "0002_auto_20221021_2046")]
