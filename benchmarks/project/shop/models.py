"""What is measured, the same for each version of dj-triggers: an event, conditions and actions as people write them."""

from collections.abc import Sequence
from typing import Any

from django.core import mail
from django.db import models
from django.template import Context, Template
from django.utils import timezone

from triggers.models import Action, Condition, Event


class OrderPlaced(Event):
    """Somebody has placed an order."""


class OrderSent(Event):
    """The same for triggers on the other engine."""


class IsActive(Condition):
    """Decides by a query."""

    def filter_user_queryset(self, user_queryset: Any) -> Any:
        return user_queryset.filter(is_active=True)


class SendEmail(Action):
    subject = models.CharField(max_length=200, default="Thank you, {{ user.first_name }}")
    message = models.TextField(default="Dear {{ user.first_name }},\n\nwe got your order {{ order }}.\n")

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        letter(Template(self.subject), Template(self.message), user, context).send()


class SendEmails(SendEmail):
    """The same for many users at once; of no meaning to dj-triggers 1.0.1."""

    def perform_many(self, calls: Sequence[Any]) -> None:
        subject, message = Template(self.subject), Template(self.message)
        mail.get_connection().send_messages([letter(subject, message, call.user, call.context) for call in calls])


def letter(subject: Template, message: Template, user: Any, context: dict[str, Any]) -> mail.EmailMessage:
    values = Context({**context, "user": user})
    return mail.EmailMessage(subject.render(values), message.render(values), to=[user.email])


class Touch(Action):
    """One UPDATE."""

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        touch(user.pk)


class Nothing(Action):
    """What is left is the cost of the run itself."""

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        return

    def perform_many(self, calls: Sequence[Any]) -> None:
        return


class Touched(models.Model):
    """One row for each user, and when it was touched last."""

    user_pk = models.BigIntegerField(unique=True)
    touched_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.user_pk)


class Note(models.Model):
    """What the bare view writes."""

    text = models.TextField()
    written_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.text


def touch(user_pk: int) -> None:
    Touched.objects.filter(user_pk=user_pk).update(touched_at=timezone.now())
