"""What is known of a person, beside what Django knows of a user."""

from __future__ import annotations

import json
from typing import Any, Final
from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

#: What a key is: no more than what stands in a path as one part of it, whoever writes the path.
KEY: Final = r"^(?!\.{1,2}$)[!-.0-~]{1,255}$"
#: How long attributes may be, in JSON.
MAX_ATTRIBUTES: Final = 2**16

validate_key: Final = RegexValidator(
    KEY.replace("$", r"\Z"),
    _("Write 1 to 255 printable characters of ASCII, without blanks and slashes."),
    "user_key_invalid",
)


def validate_time_zone(name: str) -> None:
    """Refuse what is no name of a time zone; a field's validator."""
    if name not in available_timezones():
        raise ValidationError(_("Write the name of a time zone, as Europe/Vienna."), "time_zone_unknown")


def validate_attributes(value: Any) -> None:
    """Refuse what is no JSON object, or too long to be kept with every person; a field's validator."""
    if not isinstance(value, dict):
        raise ValidationError(_("Write an object."), "not_an_object")
    if len(json.dumps(value)) > MAX_ATTRIBUTES:
        raise ValidationError(
            _("The attributes are longer than %(most)s characters of JSON."),
            "attributes_too_long",
            {"most": MAX_ATTRIBUTES},
        )


class Person(models.Model):
    """Somebody events happen to, known by the key that the systems have for them which fire the events."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="person",
        verbose_name=_("user"),
        editable=False,
    )
    key = models.CharField(
        _("key"),
        max_length=255,
        unique=True,
        validators=[validate_key],
        help_text=_("What the systems that fire events call this person."),
    )
    name = models.CharField(_("name"), max_length=255, blank=True, default="")
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        validators=[validate_time_zone],
        help_text=_("Such as Europe/Vienna. Blank: that of the service."),
    )
    attributes = models.JSONField(
        _("attributes"),
        blank=True,
        default=dict,
        validators=[validate_attributes],
        help_text=_("What else there is to know: expressions and templates can read it."),
    )
    created_at = models.DateTimeField(_("registered"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")

    def __str__(self) -> str:
        return self.name or self.key
