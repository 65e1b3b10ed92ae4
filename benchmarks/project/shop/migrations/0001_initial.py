from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def component(name: str, base: str, *fields: Any) -> migrations.CreateModel:
    """A child class of the base, ``triggers.event`` and such."""
    parent = models.OneToOneField(
        auto_created=True,
        on_delete=django.db.models.deletion.CASCADE,
        parent_link=True,
        primary_key=True,
        serialize=False,
        to=base,
    )
    pointer = f"{base.rpartition('.')[2]}_ptr"
    return migrations.CreateModel(name=name, fields=[(pointer, parent), *fields], bases=(base,))


class Migration(migrations.Migration):
    initial = True

    dependencies = [("triggers", "0003_event_delay")]

    operations = [
        component("OrderPlaced", "triggers.event"),
        component("OrderSent", "triggers.event"),
        component("IsActive", "triggers.condition"),
        component(
            "SendEmail",
            "triggers.action",
            ("subject", models.CharField(default="Thank you, {{ user.first_name }}", max_length=200)),
            (
                "message",
                models.TextField(default="Dear {{ user.first_name }},\n\nwe got your order {{ order }}.\n"),
            ),
        ),
        migrations.CreateModel(
            name="SendEmails",
            fields=[
                (
                    "sendemail_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="shop.sendemail",
                    ),
                )
            ],
            bases=("shop.sendemail",),
        ),
        component("Touch", "triggers.action"),
        component("Nothing", "triggers.action"),
        migrations.CreateModel(
            name="Touched",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("user_pk", models.BigIntegerField(unique=True)),
                ("touched_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("text", models.TextField()),
                ("written_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
