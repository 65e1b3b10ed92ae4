"""
People's tasks, and the parts that triggers about them are made of.

Each part is a model: its fields are what is set in the admin, its docstring is the help shown there.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.mail import EmailMessage
from django.core.mail.utils import DNS_NAME
from django.db import models, transaction
from django.db.models import Exists, OuterRef, QuerySet

from tests.app import templating
from triggers import current_step, fire
from triggers.models import Action, Activity, Condition, Event


class Task(models.Model):
    """Something a person wants to do."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tasks")
    name = models.CharField(max_length=200)
    is_important = models.BooleanField("important", default=False)
    is_completed = models.BooleanField("completed", default=False, editable=False)

    def __str__(self) -> str:
        return self.name

    @transaction.atomic
    def complete(self) -> None:
        """
        Complete the task and fire `TaskCompletedEvent`, both or neither.

        Nothing happens when the task is completed already, so the event is fired once.
        """
        if Task.objects.filter(pk=self.pk, is_completed=False).update(is_completed=True):
            fire(TaskCompletedEvent, users=self.user_id, context={"task_id": self.pk})
        self.is_completed = True


class TaskCompletedEvent(Event):
    """
    A person completes a task.

    E-mails can mention it: {{ task.name }}.
    """

    important_only = models.BooleanField(default=False, help_text="Leave out tasks that are not important.")

    class Meta:
        verbose_name = "task completed"

    def should_be_fired(self, *, task_id: Any = None, **context: Any) -> bool:
        if not self.important_only:
            return True
        return Task.objects.filter(pk=task_id, is_important=True).exists()

    def get_user_context(self, user: Any, context: Mapping[str, Any]) -> dict[str, Any]:
        task_id: Any = context.get("task_id")
        task = Task.objects.filter(pk=task_id).values("name", "is_important").first()
        return super().get_user_context(user, context) | {"task": task}


class ClockEvent(Event):
    """
    Happens once a minute to everybody who has a task to do.

    E-mails can list the tasks: {{ tasks|join:", " }}.
    """

    class Meta:
        verbose_name = "clock"

    def get_user_context(self, user: Any, context: Mapping[str, Any]) -> dict[str, Any]:
        tasks = uncompleted_tasks().filter(user=user).order_by("pk").values_list("name", flat=True)
        return super().get_user_context(user, context) | {"tasks": list(tasks)}


class HasUncompletedTaskCondition(Condition):
    """The person has at least one task that is not completed."""

    class Meta:
        verbose_name = "has an uncompleted task"

    def filter_user_queryset(self, user_queryset: QuerySet[Any]) -> QuerySet[Any]:
        return user_queryset.filter(Exists(uncompleted_tasks().filter(user=OuterRef("pk"))))

    def is_satisfied(self, user: Any) -> bool:
        return uncompleted_tasks().filter(user=user).exists()


class SendEmailAction(Action):
    """
    Sends the person an e-mail.

    Subject and message can mention the person, as in {{ user.first_name }}, and what the event knows.
    Nothing is sent to a person without an e-mail address.
    """

    # Sending cannot be rolled back and takes its time: not inside a database transaction.
    atomic = False

    subject = models.CharField(max_length=200, validators=[templating.validate_template])
    message = models.TextField(validators=[templating.validate_template])

    class Meta:
        verbose_name = "send an e-mail"

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        if not user.email:
            raise Activity.Cancel("The person has no e-mail address.")
        values = context | {"user": about(user)}
        subject = " ".join(templating.render(self.subject, values).split())
        message = templating.render(self.message, values)
        EmailMessage(subject, message, to=[user.email], headers=same_in_every_attempt()).send()


def uncompleted_tasks() -> QuerySet[Task]:
    return Task.objects.filter(is_completed=False)


def about(user: AbstractBaseUser) -> dict[str, str]:
    """Return what an e-mail may say about a person."""
    return {name: getattr(user, name) for name in ("username", "first_name", "last_name", "email")}


def same_in_every_attempt() -> dict[str, str]:
    """Return a header by which mail systems know a repeated e-mail, sent before a crash, as the same."""
    step = current_step()
    if step is None or step.key is None:
        return {}
    return {"Message-ID": f"<{step.key.replace(':', '.')}@{DNS_NAME}>"}
