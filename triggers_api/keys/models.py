"""The keys. Of a secret only its prefix and its digest are kept: it is shown once, when the key is made."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import Error, models, router, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from triggers_api.keys import secret as secrets
from triggers_api.keys.scopes import permissions_of, validate_scopes

logger = logging.getLogger(__name__)

#: How old ``last_used_at`` may be at least: not every request writes.
PRECISION: Final = timedelta(minutes=1)
#: The digest of nothing, compared with where there is no key.
_NO_DIGEST: Final = "0" * 64


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def revoke(self) -> int:
        """None of the keys is good any more. Returns how many were until now, expired ones included."""
        return self.filter(revoked_at=None).update(revoked_at=timezone.now())


class ApiKey(models.Model):
    """A system that calls the API as a user, limited to some of what the user may do."""

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        EXPIRED = "expired", _("expired")
        REVOKED = "revoked", _("revoked")

    name = models.CharField(_("name"), max_length=100, help_text=_("Which system has the key, and what for."))
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="trigger_api_keys",
        related_query_name="trigger_api_key",
        verbose_name=_("user"),
        help_text=_("Whom the key acts as: it never gives more than this user may do."),
    )
    prefix = models.CharField(_("prefix"), max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(
        _("scopes"), default=list, validators=[validate_scopes], help_text=_("What the key may be used for.")
    )
    event_types = models.JSONField(
        _("event types"),
        default=list,
        blank=True,
        help_text=_("Which events the key may be used for; none chosen: all."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True, help_text=_("Left empty: never."))
    revoked_at = models.DateTimeField(_("revoked"), null=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    #: The whole secret, on the instance that was given it and on no other.
    secret: str | None = None

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    @sensitive_variables("secret")
    def set_secret(self, secret: str) -> None:
        """The key is good for this secret, once it is saved."""
        prefix = secrets.prefix(secret)
        if prefix is None:
            raise ValueError("This is no secret of a key.")
        self.prefix, self.digest, self.secret = prefix, secrets.digest(secret), secret

    @classmethod
    @sensitive_variables("secret")
    def find(cls, secret: str) -> ApiKey | None:
        """
        The key that has the secret, with its user.

        How long it takes says nothing of how much of the secret is right; at most that a key has the prefix, which
        anybody may see.
        """
        # Not from a replica: what is revoked is so at once.
        keys = cls.objects.using(router.db_for_write(cls))
        key = keys.select_related("user").filter(prefix=secrets.prefix(secret)).first()
        if constant_time_compare(secrets.digest(secret), key.digest if key else _NO_DIGEST):
            return key
        return None

    @property
    def state(self) -> State:
        if self.revoked_at:
            return self.State.REVOKED
        if self.expires_at and self.expires_at <= timezone.now():
            return self.State.EXPIRED
        return self.State.ACTIVE

    def permits(self, permission: str) -> bool:
        """Whether the key's scopes include the permission; that its user has it is another question."""
        return permission in permissions_of(self.scopes)

    def permits_event_type(self, label: str) -> bool:
        """Whether the key is good for events of the type."""
        return not self.event_types or label in self.event_types

    def note_use(self, now: datetime) -> None:
        """``last_used_at`` is a minute old at most; if it cannot be written, the log says so and nothing else."""
        due = now - PRECISION
        if self.last_used_at and self.last_used_at > due:
            return
        using = router.db_for_write(type(self))
        keys = type(self).objects.using(using)
        unnoted = models.Q(last_used_at=None) | models.Q(last_used_at__lte=due)
        try:
            with transaction.atomic(using=using):
                keys.filter(unnoted, pk=self.pk).update(last_used_at=now)
        except Error as error:
            logger.warning("The use of the key %s was not noted: %s", self.prefix, type(error).__name__)
