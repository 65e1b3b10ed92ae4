"""The two conditions that come with the core: how often, and how soon again, a trigger may act on a user."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from triggers.durations import in_words
from triggers.models.activity import Activity
from triggers.models.definitions import Condition

#: Nobody was acted on longer ago, and it can be taken from any date of today.
LONGEST: Final = timedelta(days=2000 * 365)


class ActionCountCondition(Condition):
    """Limits how many times in all the trigger acts on a user."""

    code = "limit_reached"

    limit = models.PositiveIntegerField(
        _("action count limit"),
        default=1,
        help_text=_("Maximal number of actions that can be triggered for the user."),
        validators=[MinValueValidator(1)],
    )

    class Meta:
        verbose_name = _("action count")
        verbose_name_plural = _("action count")

    def __str__(self) -> str:
        return f"{super().__str__()} no more than {self.limit}"

    def filter_user_queryset(self, user_queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        used_up = _own_activity(self, action_count__gte=self.limit)
        return super().filter_user_queryset(user_queryset).filter(~Exists(used_up))

    @property
    def requirement(self) -> str:
        return ngettext(
            "at most %(limit)d time for each person", "at most %(limit)d times for each person", self.limit
        ) % {"limit": self.limit}

    def observe(self, user: Any, activity: Activity | None) -> str:
        count = activity.action_count if activity else 0
        return ngettext("%(count)d time so far", "%(count)d times so far", count) % {"count": count}


class ActionFrequencyCondition(Condition):
    """Limits how soon after its last action the trigger acts on the same user again."""

    code = "limit_reached"

    limit = models.DurationField(
        _("action frequency limit"),
        default=timedelta(days=30),
        help_text=_("Minimal period of time that should run out before the next action can be triggered."),
    )

    class Meta:
        verbose_name = _("action frequency")
        verbose_name_plural = _("action frequency")

    def __str__(self) -> str:
        return f"{super().__str__()} no less than {self.limit}"

    def filter_user_queryset(self, user_queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        too_recent = _own_activity(self, last_action_datetime__gt=timezone.now() - self._period)
        return super().filter_user_queryset(user_queryset).filter(~Exists(too_recent))

    @property
    def _period(self) -> timedelta:
        return min(max(self.limit, timedelta()), LONGEST)

    @property
    def requirement(self) -> str:
        return _("at least %(period)s between two times") % {"period": in_words(self._period)}

    def observe(self, user: Any, activity: Activity | None) -> str:
        if activity is None or activity.last_action_datetime is None:
            return ""
        last = timezone.localtime(activity.last_action_datetime)
        return _("last time on %(moment)s") % {"moment": date_format(last, "DATETIME_FORMAT")}

    def possible_at(self, user: Any, activity: Activity | None) -> datetime | None:
        if activity is None or activity.last_action_datetime is None:
            return None
        try:
            return activity.last_action_datetime + self.limit
        except OverflowError:
            return None


def _own_activity(condition: Condition, **where: Any) -> models.QuerySet[Activity]:
    """This trigger's activity with the user of the outer query, if it is so. Correlated: no other trigger's counts."""
    # Django's own class makes a query in a part of the time that django-polymorphic's takes.
    rows: models.QuerySet[Activity] = models.QuerySet(Activity)
    return rows.filter(trigger_id=condition.trigger_id, user_id=OuterRef("pk"), **where)
