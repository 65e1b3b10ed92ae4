"""The user model depends on nothing; its neighbours depend on triggers, which depends on the user model."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models

from triggers.models import Action, Condition, Event


class Member(AbstractBaseUser):
    username = models.CharField(max_length=64, unique=True)
    points = models.PositiveIntegerField(default=0)

    objects = BaseUserManager()

    USERNAME_FIELD = "username"


class MemberJoinedEvent(Event):
    pass


class HasPointsCondition(Condition):
    points = models.PositiveIntegerField(default=1)

    def filter_user_queryset(self, user_queryset: Any) -> Any:
        return user_queryset.filter(points__gte=self.points)


class GivePointAction(Action):
    def perform(self, user: Any, context: dict[str, Any]) -> None:
        Member.objects.filter(pk=user.pk).update(points=models.F("points") + 1)
