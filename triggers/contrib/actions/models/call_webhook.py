"""``CallWebhook``: another system is called over HTTP."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from triggers import current_step
from triggers.contrib.actions.addresses import AddressForbidden, target_of, validate_url
from triggers.contrib.actions.bodies import render, validate_body
from triggers.contrib.actions.calling import Answer, CallFailed, call
from triggers.contrib.actions.encryption import SecretField, is_sealed
from triggers.contrib.actions.headers import parse_headers, validate_headers
from triggers.contrib.actions.signing import signed, validate_secret
from triggers.contrib.variables import variables
from triggers.exceptions import ActionError, PermanentError, RetryAfter
from triggers.models import Action

#: Statuses other than 5xx after which it is tried again.
_PASSING: Final = frozenset({408, 425, 429})
#: How much of an answer is kept, in characters.
_KEPT: Final = 2000
_LONGEST_PAUSE: Final = timedelta(days=1)
#: What a secret that is recognised in an answer is replaced by, and how long one is at least.
_MASK: Final = "•••"
_SHORTEST: Final = 6


class CallWebhook(Action):
    """
    Calls another system over HTTP, with a JSON body, signed as Standard Webhooks says.

    When the system cannot be reached, answers 408, 425, 429 or 5xx, it is called again for some hours. Its answer is
    kept with the run. Such a call may come twice; the header “webhook-id” is the same then.
    """

    class Method(models.TextChoices):
        POST = "POST", "POST"
        PUT = "PUT", "PUT"
        PATCH = "PATCH", "PATCH"

    atomic = False
    max_attempts = 12
    backoff = timedelta(seconds=5)
    timeout = timedelta(seconds=20)
    secret_fields: ClassVar[Collection[str]] = ("signing_secret", "headers")
    api_example: ClassVar[dict[str, Any]] = {
        "url": "https://example.com/hooks",
        "signing_secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "body": {"type": "order.paid", "data": {"user": "{{ user.id }}", "amount": "{{ context.amount }}"}},
    }

    method = models.CharField(_("method"), max_length=5, choices=Method.choices, default=Method.POST)
    url = models.CharField(
        "URL", max_length=2000, validators=[validate_url], help_text=_("Where to, as in https://example.com/path.")
    )
    signing_secret = SecretField(
        _("signing secret"),
        max_length=100,
        validators=[validate_secret],
        help_text=_("“whsec_” and 24 to 64 random bytes in base64, as “openssl rand -base64 32” makes them."),
    )
    headers = SecretField(
        _("headers"),
        max_length=4000,
        blank=True,
        default="",
        validators=[validate_headers],
        help_text=_("Further headers, “Name: value”, one per line."),
    )
    body = models.JSONField(
        _("body"),
        validators=[validate_body],
        help_text=_("JSON, in which texts are templates. “{{ context.amount }}” alone stays a number if it is one."),
    )

    class Meta:
        verbose_name = _("call a webhook")
        verbose_name_plural = _("call webhooks")

    def __str__(self) -> str:
        host = urlsplit(self.url).hostname
        return gettext("call a webhook at %(host)s") % {"host": host} if host else super().__str__()

    def clean(self) -> None:
        super().clean()
        kept = [name for name in self.kept_secrets if getattr(self, name)]
        if kept and self._leads_elsewhere():
            # Else who may not read a secret could have it sent to where they can.
            needed = ValidationError(_("Write it anew: the URL leads to another host now."), "secret_needed")
            raise ValidationError(dict.fromkeys(kept, needed))

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        if is_sealed(self.signing_secret) or is_sealed(self.headers):
            raise PermanentError("The secrets were encrypted by a key that TRIGGERS_ENCRYPTION_KEYS does not have.")
        if self._leads_elsewhere():  # of a run that waited: the secrets are those of today
            raise PermanentError("The webhook leads to another host since, and its secrets are for that one.")
        step = current_step()
        body = render(self.body, variables(user, context, trigger_id=self.trigger_id))
        key = (step and step.key) or str(uuid4())
        own = {"User-Agent": "dj-triggers", "Content-Type": "application/json"}
        headers = parse_headers(self.headers)
        given = {name.lower() for name in headers}
        headers |= {name: value for name, value in own.items() if name.lower() not in given}
        headers |= signed(key, body, self.signing_secret)
        try:
            target = target_of(self.url)
            answer = call(self.method, target, headers, body.encode())
        except ValidationError as error:
            raise PermanentError(f"The URL cannot be called: {' '.join(error.messages)}") from None
        except AddressForbidden:
            raise PermanentError(f"{target.host} has an address that is not public: nothing was sent.") from None
        except CallFailed as error:
            raise ActionError(str(error)) from error
        if step and step.key:
            step.keep(status=answer.status, body=self._masked(answer.body)[:_KEPT])
        _judge(answer, target.host)

    def _leads_elsewhere(self) -> bool:
        """Whether the URL is of another host, port or scheme than that in the database."""
        saved = CallWebhook.objects.filter(pk=self.pk).values_list("url", flat=True).first() if self.pk else None
        try:
            return saved is not None and target_of(saved).origin != target_of(self.url).origin
        except ValidationError:
            return False  # which is said elsewhere

    def _masked(self, body: bytes) -> str:
        """The text of the answer, without what only the receiver is to know."""
        text = body.decode(errors="replace").replace("\x00", "\ufffd")
        values = [self.signing_secret.removeprefix("whsec_")]
        for value in parse_headers(self.headers).values():
            values += [value, value.rpartition(" ")[2]]
        long = {value for value in values if len(value) >= _SHORTEST}
        # Also as they are written within JSON; the longest first, for one may be a part of another.
        for value in sorted({*long, *(json.dumps(value)[1:-1] for value in long)}, key=len, reverse=True):
            text = text.replace(value, _MASK)
        return text


def _judge(answer: Answer, host: str) -> None:
    """Nothing if the status says that it was taken; else the exception that says what follows."""
    if 200 <= answer.status < 300:
        return
    message = f"{host} answered {answer.status}."
    if answer.status not in _PASSING and answer.status < 500:
        if 300 <= answer.status < 400:
            message += " Redirects are not followed: write the URL that it leads to."
        raise PermanentError(message)
    pause = _pause(answer.retry_after)
    if pause is not None:
        raise RetryAfter(pause, message)
    raise ActionError(message)


def _pause(retry_after: str) -> float | None:
    """The seconds that the header asks for, one at least and a day at most; None if it asks for nothing."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 1.0), _LONGEST_PAUSE.total_seconds())
