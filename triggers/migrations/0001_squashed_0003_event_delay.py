"""The tables of dj-triggers 1.0.1. Databases that it made are taken as they are."""

from datetime import timedelta

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def primary_key():
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


def content_type():
    return models.ForeignKey(
        "contenttypes.contenttype",
        editable=False,
        null=True,
        on_delete=django.db.models.deletion.CASCADE,
        related_name="polymorphic_%(app_label)s.%(class)s_set+",
    )


def trigger(related_name, related_query_name):
    return models.ForeignKey(
        "triggers.trigger",
        on_delete=django.db.models.deletion.CASCADE,
        related_name=related_name,
        related_query_name=related_query_name,
        verbose_name="trigger",
    )


def condition_ptr():
    return models.OneToOneField(
        "triggers.condition",
        auto_created=True,
        on_delete=django.db.models.deletion.CASCADE,
        parent_link=True,
        primary_key=True,
        serialize=False,
    )


class Migration(migrations.Migration):
    initial = True

    replaces = [
        ("triggers", "0001_initial"),
        ("triggers", "0002_auto_20221021_2046"),
        ("triggers", "0003_event_delay"),
    ]

    dependencies = [
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Trigger",
            fields=[
                ("id", primary_key()),
                ("name", models.CharField(max_length=64, unique=True, verbose_name="name")),
                ("is_enabled", models.BooleanField(default=False, verbose_name="enabled")),
                ("polymorphic_ctype", content_type()),
            ],
            options={"verbose_name": "trigger", "verbose_name_plural": "triggers"},
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", primary_key()),
                (
                    "delay",
                    models.DurationField(
                        blank=True,
                        default=timedelta(0),
                        help_text="Delay from the moment when the event actually happened until it should be handled.",
                        verbose_name="delay",
                    ),
                ),
                ("polymorphic_ctype", content_type()),
                ("trigger", trigger("events", "event")),
            ],
            options={"verbose_name": "event", "verbose_name_plural": "events"},
        ),
        migrations.CreateModel(
            name="Condition",
            fields=[
                ("id", primary_key()),
                ("polymorphic_ctype", content_type()),
                ("trigger", trigger("conditions", "condition")),
            ],
            options={"verbose_name": "condition", "verbose_name_plural": "conditions"},
        ),
        migrations.CreateModel(
            name="Action",
            fields=[
                ("id", primary_key()),
                ("polymorphic_ctype", content_type()),
                (
                    "trigger",
                    models.OneToOneField(
                        "triggers.trigger",
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="action",
                        verbose_name="trigger",
                    ),
                ),
            ],
            options={"verbose_name": "action", "verbose_name_plural": "actions"},
        ),
        migrations.CreateModel(
            name="Activity",
            fields=[
                ("id", primary_key()),
                (
                    "last_action_datetime",
                    models.DateTimeField(blank=True, null=True, verbose_name="last action"),
                ),
                ("action_count", models.PositiveIntegerField(default=0, verbose_name="actions")),
                ("polymorphic_ctype", content_type()),
                ("trigger", trigger("activities", "activity")),
                (
                    "user",
                    models.ForeignKey(
                        settings.AUTH_USER_MODEL,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="trigger_activities",
                        related_query_name="trigger_activity",
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "activity",
                "verbose_name_plural": "activities",
                "unique_together": {("trigger", "user")},
            },
        ),
        migrations.CreateModel(
            name="ActionCountCondition",
            fields=[
                ("condition_ptr", condition_ptr()),
                (
                    "limit",
                    models.PositiveIntegerField(
                        default=1,
                        help_text="Maximal number of actions that can be triggered for the user.",
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="action count limit",
                    ),
                ),
            ],
            options={"verbose_name": "action count", "verbose_name_plural": "action count"},
            bases=("triggers.condition",),
        ),
        migrations.CreateModel(
            name="ActionFrequencyCondition",
            fields=[
                ("condition_ptr", condition_ptr()),
                (
                    "limit",
                    models.DurationField(
                        default=timedelta(days=30),
                        help_text="Minimal period of time that should run out before the next action can be triggered.",
                        verbose_name="action frequency limit",
                    ),
                ),
            ],
            options={"verbose_name": "action frequency", "verbose_name_plural": "action frequency"},
            bases=("triggers.condition",),
        ),
    ]
