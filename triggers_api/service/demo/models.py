"""The components of the demo. Each is a model: its fields are what is set in the admin, its docstring the help."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from smtplib import SMTPRecipientsRefused
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.utils import DNS_NAME
from django.core.validators import MinValueValidator
from django.db import models

from triggers import current_step
from triggers.exceptions import PermanentError
from triggers.models import Action, Condition, Event
from triggers_api.service.demo import templating


class OrderPlacedEvent(Event):
    """
    A person orders something.

    The shop says what in the context: {"order": "1001", "amount": 40}.
    """

    minimum_amount = models.DecimalField(
        "minimum amount",
        max_digits=12,
        decimal_places=2,
        default=Decimal(0),
        validators=[MinValueValidator(0)],
        help_text="Leave out orders of a lower amount.",
    )

    class Meta:
        verbose_name = "order placed"

    def should_be_fired(self, **context: Any) -> bool:
        if not self.minimum_amount:
            return True
        amount = context.get("amount")
        return isinstance(amount, int | float | Decimal) and amount >= self.minimum_amount


class HasEmailAddressCondition(Condition):
    """The person has an e-mail address."""

    class Meta:
        verbose_name = "has an e-mail address"

    def filter_user_queryset(self, user_queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        return user_queryset.exclude(email="")


class SendEmailAction(Action):
    """
    Sends the person an e-mail.

    Subject and message may mention the person, as in {{ user.first_name }}, and the context, as in {{ order }}.
    """

    # The mail server takes its time, and what it was given cannot be taken back: not inside a transaction.
    atomic = False
    timeout = timedelta(seconds=30)

    subject = models.CharField("subject", max_length=200, validators=[templating.validate])
    message = models.TextField("message", validators=[templating.validate])

    class Meta:
        verbose_name = "send an e-mail"

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        person = {name: getattr(user, name) for name in ("username", "first_name", "last_name", "email")}
        values = context | {"user": person}
        email = EmailMessage(
            subject=" ".join(templating.render(self.subject, values).split()),
            body=templating.render(self.message, values),
            to=[user.email],
            headers=_message_id(),
        )
        try:
            email.send()
        except SMTPRecipientsRefused as refusal:
            # The error itself holds the address, which belongs into no log.
            (code, _answer) = refusal.recipients[user.email]
            error = PermanentError if code >= 500 else RuntimeError
            raise error(f"The mail server refused the recipient ({code}).") from None


def _message_id() -> dict[str, str]:
    """The same in every attempt, so that whoever receives an e-mail again after a crash can tell."""
    step = current_step()
    return {"Message-ID": f"<{step.key.replace(':', '.')}@{DNS_NAME}>"} if step and step.key else {}
