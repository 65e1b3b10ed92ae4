"""Tasks, and what happens when one is completed: written for dj-triggers 1.0.1, and not touched since."""

from importlib.metadata import version
from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.db import models, transaction
from django.dispatch import Signal, receiver

from triggers.models import Action, Condition, Event


class Task(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    name = models.CharField(max_length=128)
    is_completed = models.BooleanField(default=False, db_index=True, editable=False)
    is_important = models.BooleanField(default=False)

    completed: ClassVar[Signal] = Signal()

    def __str__(self) -> str:
        return self.name

    def complete(self) -> None:
        if not self.is_completed:
            self.is_completed = True
            self.save()
            transaction.on_commit(lambda: self.completed.send(sender=self.__class__, task=self))


class Message(models.Model):
    """What an action sent. No constraint: sent twice is two rows."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    task = models.ForeignKey(Task, on_delete=models.CASCADE)
    text = models.CharField(max_length=128)
    sent_by = models.CharField(max_length=64, help_text="The version of dj-triggers.")

    def __str__(self) -> str:
        return self.text


class TaskCompletedEvent(Event):
    important_only = models.BooleanField(default=False)

    class Meta:
        verbose_name = "task completed"

    def should_be_fired(self, **kwargs: Any) -> bool:
        if self.important_only:
            return Task.objects.filter(id=kwargs["task_id"], is_important=True).exists()
        return True


@receiver(Task.completed)
def on_task_completed(sender: Any, task: Task, **kwargs: Any) -> None:
    for event in TaskCompletedEvent.objects.all():
        # In the words of the README of 1.0.1; they are right where nobody opened a transaction.
        transaction.on_commit(lambda: event.fire_single(task.user_id, task_id=task.id))  # noqa: B023


class IsActiveCondition(Condition):
    """Decides by a query."""

    class Meta:
        verbose_name = "is active"

    def filter_user_queryset(self, user_queryset: Any) -> Any:
        return user_queryset.filter(is_active=True)


class HasEmailCondition(Condition):
    """Decides user by user."""

    class Meta:
        verbose_name = "has an e-mail address"

    def is_satisfied(self, user: Any) -> bool:
        return bool(user.email)


class SendMessageAction(Action):
    text = models.CharField(max_length=128)

    class Meta:
        verbose_name = "send a message"

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        Message.objects.create(user=user, task_id=context["task_id"], text=self.text, sent_by=version("dj-triggers"))
