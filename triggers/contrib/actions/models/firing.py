"""``FireEvent``: another event happens to the user."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from triggers import current_step, fire
from triggers.context import RESERVED_KEYS, encode
from triggers.contrib.actions.bodies import fill, validate_body
from triggers.contrib.event_names import EventNameField, title_of
from triggers.contrib.variables import variables
from triggers.exceptions import ContextInvalid, FiringRefused, PermanentError
from triggers.models import Action

LONGEST: Final = timedelta(days=3660)


class DepthExceeded(PermanentError):
    """Too many events fired one another in a row."""


def validate_context(context: Any) -> None:
    """Raises ValidationError for what no event could have as its context, or a text in it that is no template."""
    try:
        encode(context)
    except ContextInvalid as error:
        raise ValidationError("%(detail)s", error.code, {"detail": str(error)}) from None
    validate_body(context)


class FireEvent(Action):
    """
    Fires another event for the person, and so starts other triggers.

    It is fired exactly once. Triggers that start each other in a circle are stopped after some rounds.
    """

    api_example: ClassVar[dict[str, Any]] = {
        "event_type": "order.paid",
        "context": {"order": "{{ context.order }}", "reason": "paid"},
    }

    event_type = EventNameField(_("event"))
    context = models.JSONField(
        _("context"),
        null=True,
        blank=True,
        default=None,
        validators=[validate_context],
        help_text=_("A JSON object, in which texts are templates. Blank or null: what started this is passed on."),
    )
    delay = models.DurationField(
        _("delay"),
        default=timedelta(),
        validators=[
            MinValueValidator(timedelta(), _("The delay must not be negative.")),
            MaxValueValidator(LONGEST, _("Wait for ten years at most.")),
        ],
        help_text=_("How long until it starts anything. Three days are “3 00:00:00”, or “P3D”."),
    )

    class Meta:
        verbose_name = _("fire an event")
        verbose_name_plural = _("fire events")

    def __str__(self) -> str:
        if not self.event_type:
            return super().__str__()
        return gettext("fire “%(event)s”") % {"event": title_of(self.event_type)}

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        told = self._told(user, context)
        try:
            occurrence = fire(self.event_type, users=user, context=told, delay=self.delay)
        except FiringRefused as error:
            raise PermanentError(str(error)) from error
        if occurrence.code:
            raise DepthExceeded(occurrence.detail)
        step = current_step()
        if step and step.key:
            step.keep(occurrence=str(occurrence.pk))

    def _told(self, user: Any, context: Mapping[str, Any]) -> dict[str, Any]:
        if self.context is None:
            return {key: value for key, value in context.items() if key not in RESERVED_KEYS}
        filled: dict[str, Any] = fill(self.context, variables(user, context, trigger_id=self.trigger_id))
        return filled
