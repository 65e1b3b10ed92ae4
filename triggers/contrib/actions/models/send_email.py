"""``SendEmail``: somebody gets an e-mail."""

from __future__ import annotations

import re
from datetime import timedelta
from email.utils import make_msgid, parseaddr
from smtplib import SMTPRecipientsRefused
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from triggers import current_step
from triggers.contrib import templates
from triggers.contrib.variables import variables
from triggers.exceptions import ActionError, PermanentError
from triggers.models import Action

#: What ends a line somewhere, or is no text.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class AddressMissing(PermanentError):
    """The user has no e-mail address."""


class HeaderRefused(PermanentError):
    """A header would have had several lines."""


def validate_sender(text: str) -> None:
    """Raises ValidationError for what is no address, with or without a name."""
    if _CONTROL.search(text):
        raise ValidationError(_("Write the sender on one line."), "sender_invalid")
    try:
        validate_email(parseaddr(text)[1])
    except ValidationError:
        raise ValidationError(_("Write the sender as in “Shop <shop@example.com>”."), "sender_invalid") from None


class SendEmail(Action):
    """
    Sends an e-mail to the person, or to a fixed address.

    Subject, text and HTML are templates, as in “Hello {{ user.first_name }}”. While the mail server does not take it,
    it is tried again for some hours.
    """

    atomic = False
    max_attempts = 10
    backoff = timedelta(seconds=30)
    api_example: ClassVar[dict[str, Any]] = {
        "subject": "Thank you for order {{ context.order_id }}",
        "text": "Hello {{ user.first_name }}, …",
    }

    to = models.EmailField(_("to"), blank=True, default="", help_text=_("Blank: to the person it happened to."))
    sender = models.CharField(
        _("sender"),
        max_length=200,
        blank=True,
        default="",
        validators=[validate_sender],
        help_text=_("An address, with or without a name. Blank: the project’s."),
    )
    subject = models.CharField(_("subject"), max_length=500, validators=[templates.check])
    text = templates.TemplateField(_("text"))
    html = templates.TemplateField(
        "HTML",
        blank=True,
        default="",
        help_text=_("Shown in place of the text where it can be. Values are escaped."),
    )

    class Meta:
        verbose_name = _("write an e-mail")
        verbose_name_plural = _("write e-mails")

    def __str__(self) -> str:
        return gettext("write “%(subject)s”") % {"subject": self.subject} if self.subject else super().__str__()

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        address = self.to or _address_of(user)
        seen = variables(user, context, trigger_id=self.trigger_id)
        message = EmailMultiAlternatives(
            subject=_line(templates.render(self.subject, seen)),
            body=templates.render(self.text, seen),
            from_email=self.sender or None,
            to=[address],
        )
        id = _message_id(message.from_email)
        message.extra_headers = {"Message-ID": id, "Auto-Submitted": "auto-generated"}
        if self.html:
            message.attach_alternative(templates.render(self.html, seen, html=True), "text/html")
        try:
            message.send()
        except SMTPRecipientsRefused as error:
            # The error itself holds the address, which belongs into no log.
            ((code, _answer),) = error.recipients.values()
            refusal = PermanentError if code >= 500 else ActionError
            raise refusal(f"The mail server refused the address with {code}.") from None
        step = current_step()
        if step and step.key:
            step.keep(to=address, message_id=id)


def _address_of(user: Any) -> str:
    """The user's address. Raises AddressMissing."""
    name = getattr(type(user), "get_email_field_name", lambda: "email")()
    address = getattr(user, name, None) or ""
    try:
        validate_email(address)
    except ValidationError:
        problem = "is not valid" if address else "is missing"
        raise AddressMissing(f"The user’s e-mail address {problem}.") from None
    return str(address)


def _line(text: str) -> str:
    """The text without space around it. Raises HeaderRefused if it is more than a line."""
    line = text.strip()
    if _CONTROL.search(line):
        raise HeaderRefused("The subject would have several lines, or characters that are no text: nothing was sent.")
    return line


def _message_id(sender: str) -> str:
    """The same for each attempt at the step, so that repeats can be dropped."""
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    step = current_step()
    if step is None or step.key is None:
        return make_msgid(domain=domain)
    return f"<{step.key.replace(':', '.')}@{domain}>"
