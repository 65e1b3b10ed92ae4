"""The ledger that limits read: how often and when a trigger acted on a user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models, router, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from polymorphic.models import PolymorphicModel

if TYPE_CHECKING:
    from triggers.models.definitions import Trigger


class Activity(PolymorphicModel):
    """How often and when a trigger acted on a user. A run that is under way is already counted."""

    trigger = models.ForeignKey(
        "triggers.Trigger",
        on_delete=models.CASCADE,
        related_name="activities",
        related_query_name="activity",
        verbose_name=_("trigger"),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="trigger_activities",
        related_query_name="trigger_activity",
        verbose_name=_("user"),
    )
    last_action_datetime = models.DateTimeField(_("last action"), blank=True, null=True)
    action_count = models.PositiveIntegerField(_("actions"), default=0)
    #: Runs that were counted up to then are not counted any more.
    reset_at = models.DateTimeField(_("reset at"), null=True, editable=False)

    class Meta:
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        unique_together = (("trigger", "user"),)
        permissions: ClassVar = [("reset_activity", _("Can let triggers act on users anew"))]

    class Cancel(Exception):
        """Raised by an action that declines: the trigger did not act on the user, nothing is counted."""

    def __str__(self) -> str:
        return f"{self.trigger} - {self.user}"

    @classmethod
    @contextmanager
    def lock(cls, user: Any, trigger: Trigger) -> Iterator[Activity]:
        """Hold the Activity of the user and trigger; count one action at the end unless ``Cancel`` is raised."""
        using = router.db_for_write(cls)
        activity, _created = trigger.activities.get_or_create(user=user)
        with transaction.atomic(using=using):
            activity = cls._default_manager.using(using).select_for_update().get(pk=activity.pk)
            try:
                yield activity
            except cls.Cancel:
                return
            activity.action_count += 1
            activity.last_action_datetime = timezone.now()
            activity.save(using=using)
