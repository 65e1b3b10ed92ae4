"""
Components that leave traces and misbehave on purpose, for tests only.

Tests run in another process than the workers, so what an action did is a row (`Effect`) or a line in a
file, and what it is to do the first time only is remembered in a folder (`Misbehaving`).
"""

import os
import signal
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import models, transaction
from django.db.models import QuerySet

from tests.waiting import wait_until
from triggers import current_step, fire, flow
from triggers.exceptions import PermanentError, RetryAfter
from triggers.models import Action, Activity, Call, Condition, Event


class Effect(models.Model):
    """Something was done for a user. No constraint: done twice is two rows."""

    key = models.CharField(max_length=64)
    user_pk = models.BigIntegerField()
    label = models.CharField(max_length=64)
    pid = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.label} for {self.user_pk} in {self.key}"


def new_effect(user: Any, label: str, key: str | None = None) -> Effect:
    if key is None:
        step = current_step()
        key = (step and step.key) or ""
    return Effect(key=key, user_pk=user.pk, label=label, pid=os.getpid())


class ProbeEvent(Event):
    """Happens when a test says so."""


class PickyEvent(Event):
    """Cannot tell whether it should be fired."""

    def should_be_fired(self, **context: Any) -> bool:
        raise RuntimeError("cannot tell")


class RaisingCondition(Condition):
    """Raises for users whose name is among those of the field, one per line."""

    usernames = models.TextField(blank=True)

    def is_satisfied(self, user: Any) -> bool:
        if user.username in self.usernames.split():
            raise RuntimeError("cannot decide")
        return True


class UsernameCondition(Condition):
    """Holds for users whose name begins with the prefix."""

    prefix = models.CharField(max_length=64)

    def filter_user_queryset(self, user_queryset: QuerySet[Any]) -> QuerySet[Any]:
        return user_queryset.filter(username__startswith=self.prefix)


class BrokenFilterCondition(Condition):
    """Cannot filter querysets."""

    def filter_user_queryset(self, user_queryset: QuerySet[Any]) -> QuerySet[Any]:
        raise RuntimeError("cannot filter")


class ContextCondition(Condition):
    """Holds if the context has the key."""

    key = models.CharField(max_length=64)

    def allows(self, user: Any, context: Any) -> bool:
        return self.key in context


class ProbeAction(Action):
    """Is to take no more than two seconds, so that an abandoned run's lease ends soon."""

    timeout = timedelta(seconds=2)

    class Meta:
        abstract = True


class RecordEffectAction(ProbeAction):
    """Records an effect."""

    label = models.CharField(max_length=64, default="effect")

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        new_effect(user, self.label).save()


class ExternalEffectAction(ProbeAction):
    """Appends the step's key to a file: an effect outside the database."""

    atomic = False

    path = models.CharField(max_length=500)

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        step = current_step()
        assert step is not None
        with open(self.path, "a") as lines:
            lines.write(f"{step.key}\n")


class BulkEffectAction(ProbeAction):
    """Records the effects of a chunk with one INSERT; raises if one of the users is called `broken`."""

    label = models.CharField(max_length=64, default="bulk")

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        if user.username == "broken":
            raise PermanentError("broken")
        new_effect(user, self.label).save()

    def perform_many(self, calls: Sequence[Call]) -> None:
        if any(call.user.username == "broken" for call in calls):
            raise RuntimeError("one is broken")
        Effect.objects.bulk_create(new_effect(call.user, self.label, call.key) for call in calls)


class Misbehaving(ProbeAction):
    """Counts its attempts at each step in a folder, where neither a rollback nor a SIGKILL undoes it."""

    backoff = timedelta(seconds=0.2)

    folder = models.CharField(max_length=500)
    label = models.CharField(max_length=64, default="effect")

    class Meta:
        abstract = True

    def attempt(self) -> int:
        """Return 1 in the first attempt at this step, 2 in the second, and so on."""
        step = current_step()
        assert step is not None
        assert step.key is not None
        return self.count(step.key)

    def count(self, name: str) -> int:
        path = Path(self.folder) / f"{self.pk}-{name.replace(':', '-')}"
        with path.open("ab") as attempts:
            attempts.write(b".")
            return attempts.tell()


class FlakyAction(Misbehaving):
    """Fails the first times after having done its work, then succeeds."""

    max_attempts = 5

    fail_times = models.PositiveIntegerField(default=2)

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        new_effect(user, self.label).save()
        attempt = self.attempt()
        if attempt <= self.fail_times:
            raise RuntimeError(f"attempt {attempt} fails")


class ImpatientAction(Misbehaving):
    """Asks once to be tried again after a while, then succeeds."""

    seconds = models.FloatField(default=1)

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        if self.attempt() == 1:
            raise RetryAfter(self.seconds)
        new_effect(user, self.label).save()


class SlowAction(ProbeAction):
    """Takes its time between two effects, in the same transaction."""

    seconds = models.FloatField(default=0.1)
    label = models.CharField(max_length=64, default="effect")

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        new_effect(user, f"{self.label} begun").save()
        time.sleep(self.seconds)
        new_effect(user, self.label).save()


class KillWorkerAction(Misbehaving):
    """Kills the process that performs it after having done its work: always, or in the first attempt."""

    always = models.BooleanField(default=True)
    victim = models.CharField(max_length=64, blank=True, help_text="Only for the user of this name.")

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        new_effect(user, self.label).save()
        if self.victim in ("", user.username) and (self.attempt() == 1 or self.always):
            os.kill(os.getpid(), signal.SIGKILL)


class StopWorkerAction(Misbehaving):
    """Stops the process that performs it (SIGSTOP) in one attempt, after the work; those before it fail."""

    stop_at = models.PositiveIntegerField(default=1, help_text="The attempt.")
    victim = models.CharField(max_length=64, blank=True, help_text="Only for the user of this name.")

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        new_effect(user, self.label).save()
        if self.victim in ("", user.username):
            attempt = self.attempt()
            if attempt < self.stop_at:
                raise RuntimeError(f"attempt {attempt} fails")
            if attempt == self.stop_at:
                # At this very place: of a process's threads another would take the signal, and this one run on.
                signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


class GateAction(ProbeAction):
    """Waits until a file is there, outside of a transaction."""

    atomic = False
    timeout = timedelta(seconds=60)

    path = models.CharField(max_length=500)

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        new_effect(user, "at the gate").save()
        wait_until(Path(self.path).exists, timeout=50, message="the gate")
        new_effect(user, "past the gate").save()


class DecliningAction(Misbehaving):
    """Declines when it is performed for a user the first time, whatever the run."""

    atomic = False
    timeout = timedelta(seconds=60)

    gated = models.BooleanField(default=False, help_text="Not before there is a file `gate` in the folder.")

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        if self.count(f"user{user.pk}") == 1:
            if self.gated:
                wait_until((Path(self.folder) / "gate").exists, timeout=50, message="the gate")
            raise Activity.Cancel("not now")
        new_effect(user, self.label).save()


class HangingAction(ProbeAction):
    """Never returns."""

    max_attempts = 1
    timeout = timedelta(seconds=1)

    victim = models.CharField(max_length=64, blank=True, help_text="Only for the user of this name.")

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        new_effect(user, "hanging").save()
        while self.victim in ("", user.username):
            time.sleep(0.1)


class RaisingAction(ProbeAction):
    """Fails every time, in two attempts."""

    max_attempts = 2
    backoff = timedelta(seconds=0.2)

    victim = models.CharField(max_length=64, blank=True, help_text="Only for the user of this name.")

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        new_effect(user, "raising").save()
        if self.victim in ("", user.username):
            raise RuntimeError("it does not work")


class RefusingAction(ProbeAction):
    """Fails for good in the first attempt."""

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        raise PermanentError("it will never work")


class NonsenseAction(ProbeAction):
    """Returns what no action may return."""

    max_attempts = 1

    def perform(self, user: Any, context: dict[str, Any]) -> Any:
        new_effect(user, "nonsense").save()
        return 42


class WaitAction(ProbeAction):
    """Lets the run wait before its next action."""

    seconds = models.FloatField(default=1)

    def perform(self, user: Any, context: dict[str, Any]) -> flow.Wait:
        return flow.Wait(timedelta(seconds=self.seconds))


class AwaitAction(ProbeAction):
    """Lets the run wait for an event before its next action; says so beforehand, or not."""

    event_type = models.CharField(max_length=100, default="probe.ProbeEvent")
    seconds = models.FloatField(default=1000)
    on_timeout = models.CharField(max_length=8, default="continue")
    matching = models.JSONField(null=True)
    is_declared = models.BooleanField(default=True)

    def perform(self, user: Any, context: dict[str, Any]) -> flow.WaitForEvent:
        timeout = timedelta(seconds=self.seconds)
        return flow.WaitForEvent(self.event_type, timeout, self.on_timeout, self.matching)  # type: ignore[arg-type]

    def awaited_types(self) -> list[str]:
        return [self.event_type] if self.is_declared else []


class AwaitTogetherAction(AwaitAction):
    """As `AwaitAction`, for many users at once."""

    class Meta:
        proxy = True

    def perform_many(self, calls: Sequence[Call]) -> list[flow.WaitForEvent]:
        return [self.perform(call.user, call.context) for call in calls]


class RecheckAction(ProbeAction):
    """Ends the run unless the conditions hold still."""

    def perform(self, user: Any, context: dict[str, Any]) -> flow.GoOnIfConditionsHold:
        return flow.GoOnIfConditionsHold()


class TokenAction(ProbeAction):
    """Records its secret, as something that calls others would use it."""

    secret_fields = ("token",)

    token = models.CharField(max_length=64)
    label = models.CharField(max_length=64, default="called with")

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        new_effect(user, f"{self.label} {self.token}").save()


class KeepAction(ProbeAction):
    """Keeps what the context says, twice, and then fails if the context says so."""

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        step = current_step()
        assert step is not None
        step.keep(number=0, other="gone")
        step.keep(number=context["number"], at=context.get("at"))
        if context.get("fails"):
            raise PermanentError("it is kept all the same")


class SelfSavingAction(ProbeAction):
    """Counts in itself how often it was performed."""

    max_attempts = 1

    count = models.PositiveIntegerField(default=0)

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        self.count += 1
        self.save()


class StopAction(ProbeAction):
    """Ends the run."""

    def perform(self, user: Any, context: dict[str, Any]) -> flow.Stop:
        return flow.Stop("that is enough")


class ChainAction(ProbeAction):
    """Fires `ProbeEvent` for the same user again, at once or after its transaction has committed."""

    on_commit = models.BooleanField(default=False)

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        new_effect(user, "chain").save()
        if self.on_commit:
            transaction.on_commit(lambda: self._fire(user))
        else:
            self._fire(user)

    def _fire(self, user: Any) -> None:
        fire(ProbeEvent, users=user)
