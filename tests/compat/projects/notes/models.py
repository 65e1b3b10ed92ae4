"""The components that the projects use."""

from typing import Any

from django.db import models

from triggers.models import Action, Event


class Note(models.Model):
    """What was done for a user."""

    user_key = models.CharField(max_length=64)
    text = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.text} for {self.user_key}"


class SomethingHappenedEvent(Event):
    pass


class WriteNoteAction(Action):
    def perform(self, user: Any, context: dict[str, Any]) -> None:
        Note.objects.create(user_key=str(user.pk), text=context.get("text", ""))
