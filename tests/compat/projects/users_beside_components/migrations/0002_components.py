import django.db.models.deletion
from django.db import migrations, models


def parent(name):
    return models.OneToOneField(
        auto_created=True,
        on_delete=django.db.models.deletion.CASCADE,
        parent_link=True,
        primary_key=True,
        serialize=False,
        to=f"triggers.{name}",
    )


class Migration(migrations.Migration):
    dependencies = [("users_beside_components", "0001_initial"), ("triggers", "0003_event_delay")]
    operations = [
        migrations.CreateModel(
            name="MemberJoinedEvent",
            fields=[("event_ptr", parent("event"))],
            options={"abstract": False},
            bases=("triggers.event",),
        ),
        migrations.CreateModel(
            name="HasPointsCondition",
            fields=[("condition_ptr", parent("condition")), ("points", models.PositiveIntegerField(default=1))],
            options={"abstract": False},
            bases=("triggers.condition",),
        ),
        migrations.CreateModel(
            name="GivePointAction",
            fields=[("action_ptr", parent("action"))],
            options={"abstract": False},
            bases=("triggers.action",),
        ),
    ]
