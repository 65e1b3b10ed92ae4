"""
Conditions that are set up without writing Python.

Each is a model: its fields are what is set in the admin and over HTTP, its docstring is the help shown there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import models, router
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from triggers.audiences import queryset_of
from triggers.contrib import expressions
from triggers.contrib.variables import variables
from triggers.exceptions import AudienceUnknown
from triggers.models import Activity, Condition


class ExpressionCondition(Condition):
    """
    Holds if an expression is true of the user, of what the event tells, of what was done so far, and of the moment.

    It is written in CEL, as in: context.amount > 100 && user.email.endsWith('@example.com'). How often a trigger may
    act is a matter for the limits: they count under a lock, which an expression about activity does not.
    """

    #: As it stands in the documentation of the API.
    api_example: ClassVar[dict[str, Any]] = {"expression": "context.amount > 100 && has(context.coupon)"}

    expression = expressions.ExpressionField(
        _("expression"),
        help_text=_("What must be true, of user, context, activity and now. has(context.coupon) asks if there is one."),
    )

    class Meta:
        verbose_name = _("expression")
        verbose_name_plural = _("expressions")

    def __str__(self) -> str:
        text = " ".join(self.expression.split())
        return f"{super().__str__()} {Truncator(text).chars(78)}".rstrip()

    @property
    def requirement(self) -> str:
        return self.expression

    def allows(self, user: Any, context: Mapping[str, Any]) -> bool:
        answer = expressions.evaluate(self.expression, self._variables(user, context))
        if not isinstance(answer, bool):
            raise expressions.ExpressionError(gettext("The expression is neither true nor false."))
        return answer

    def observe_in(self, user: Any, context: Mapping[str, Any], activity: Activity | None) -> str:
        return expressions.observed(self.expression, self._variables(user, context))

    def _variables(self, user: Any, context: Mapping[str, Any]) -> dict[str, Any]:
        """Of the variables those that are read: ``activity`` is a query."""
        return variables(user, context, trigger_id=self.trigger_id, uses=expressions.uses(self.expression))


class AudienceCondition(Condition):
    """Holds for users who belong to a named audience, to a group, or to the staff; or for those who do not."""

    api_example: ClassVar[dict[str, Any]] = {"kind": "staff", "is_in": False}

    class Kind(models.TextChoices):
        AUDIENCE = "audience", _("named audience")
        GROUP = "group", _("group")
        STAFF = "staff", _("staff")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.AUDIENCE)
    name = models.CharField(
        _("name"),
        max_length=150,
        blank=True,
        default="",
        help_text=_("The name of the audience or of the group. Blank for staff."),
    )
    is_in = models.BooleanField(_("is in"), default=True, help_text=_("Unticked: for those who do not belong to it."))

    class Meta:
        verbose_name = _("audience")
        verbose_name_plural = _("audiences")

    def __str__(self) -> str:
        what = f"{self.get_kind_display()} “{self.name}”" if self.name else str(self.get_kind_display())
        return (gettext("in %(what)s") if self.is_in else gettext("not in %(what)s")) % {"what": what}

    def clean(self) -> None:
        super().clean()
        if self.kind == self.Kind.STAFF and self.name:
            raise ValidationError(
                {"name": ValidationError(_("Leave this blank: there is one staff."), "name_needless")}
            )
        try:
            self._members(router.db_for_read(get_user_model()))
        except AudienceUnknown as error:
            raise ValidationError({"name": ValidationError(str(error), "name_unknown")}) from error

    def filter_user_queryset(self, user_queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        belongs = models.Q(pk__in=self._members(user_queryset.db).values("pk"))
        return user_queryset.filter(belongs if self.is_in else ~belongs)

    @property
    def requirement(self) -> str:
        return gettext("belongs to it") if self.is_in else gettext("does not belong to it")

    def observe(self, user: Any, activity: Activity | None) -> str:
        belongs = self._members(user._state.db).filter(pk=user.pk).exists()
        return gettext("belongs to it") if belongs else gettext("does not belong to it")

    def _members(self, using: str) -> models.QuerySet[Any]:
        """Those who belong to it. Raises AudienceUnknown: a group that is gone lets nobody through, in or not in it."""
        members = {
            self.Kind.AUDIENCE: lambda: queryset_of(self.name, using),
            self.Kind.GROUP: lambda: _in_group(self.name, using),
            self.Kind.STAFF: lambda: _users(using).filter(is_staff=True),
        }
        return members[self.Kind(self.kind)]()


def _users(using: str) -> models.QuerySet[Any]:
    return get_user_model()._default_manager.using(using)


def _in_group(name: str, using: str) -> models.QuerySet[Any]:
    if not Group._default_manager.using(using).filter(name=name).exists():
        raise AudienceUnknown(f"There is no group {name!r:.80}.")
    return _users(using).filter(groups__name=name)
