"""
What should happen: a Trigger holds events (when), conditions (if) and ordered actions (do).

Apps define their own Event, Condition and Action classes; people combine them into triggers.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models.signals import pre_delete
from django.dispatch import Signal, receiver
from django.utils.translation import gettext_lazy as _
from polymorphic.models import PolymorphicModel

from triggers.kinds import EventKind
from triggers.models.activity import Activity

if TYPE_CHECKING:
    from triggers.flow import Outcome


# Columns that dj-triggers 1 does not know have a default in the database: its processes may go on adding rows while
# they are being replaced.


class Trigger(PolymorphicModel):
    """When one of its events happens to a user, if all its conditions hold, its actions are performed in order."""

    name = models.CharField(_("name"), max_length=64, unique=True)
    description = models.TextField(
        _("description"),
        blank=True,
        default="",
        db_default="",
        help_text=_("What this trigger is for, in your own words."),
    )
    is_enabled = models.BooleanField(_("enabled"), default=False)
    engine = models.CharField(
        _("engine"),
        max_length=16,
        blank=True,
        default="",
        db_default="",
        help_text=_("What runs this trigger. Blank: the project's default. Concerns later events only."),
    )

    class Meta:
        verbose_name = _("trigger")
        verbose_name_plural = _("triggers")
        permissions: ClassVar = [("enable_trigger", _("Can enable and disable triggers"))]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        """Whether events can start this trigger: it is enabled and has an action."""
        return self.is_enabled and self.actions.exists()

    @property
    def action(self) -> Action:
        """The first action. Deprecated: a trigger has any number of ``actions``."""
        warnings.warn(
            "Trigger.action is deprecated, a trigger may have several: use Trigger.actions.",
            DeprecationWarning,
            stacklevel=2,
        )
        first = self.actions.first()
        if first is None:
            # An AttributeError too, so that hasattr(trigger, "action") answers as it did.
            raise type("RelatedObjectDoesNotExist", (Action.DoesNotExist, AttributeError), {})("Trigger has no action.")
        return first

    def filter_user_queryset(self, user_queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """The users whom all the queryset conditions let through; none if the trigger is not active."""
        if not self.is_active:
            return user_queryset.none()
        for condition in self.conditions.all():
            user_queryset = condition.filter_user_queryset(user_queryset)
        return user_queryset

    def on_event(self, user: Any, context: Mapping[str, Any]) -> None:
        """
        Perform the actions here and now if the conditions hold, under the user's Activity lock.

        Writes no records and retries nothing; ``triggers.fire`` does both.
        """
        if user and all(condition.is_satisfied(user) for condition in self.conditions.all()):
            with Activity.lock(user, self):
                for action in self.actions.all():
                    action.perform(user, dict(context))


class Event(PolymorphicModel):
    """Something that happens to a user. Subclasses add the fields by which it is told from others of its kind."""

    trigger = models.ForeignKey(
        Trigger,
        on_delete=models.CASCADE,
        related_name="events",
        related_query_name="event",
        verbose_name=_("trigger"),
    )
    delay = models.DurationField(
        _("delay"),
        default=timedelta(),
        blank=True,
        help_text=_("Delay from the moment when the event actually happened until it should be handled."),
    )

    #: A JSON Schema (2020-12) of the context, checked whoever fires the event; None takes any context.
    context_schema: ClassVar[Mapping[str, Any] | None] = None
    #: Fields that are never shown, nor written to the snapshots which waiting runs keep to.
    secret_fields: ClassVar[Collection[str]] = ()
    #: For ``clean``: those of them that a change of the component leaves as they are.
    kept_secrets: Collection[str] = ()
    #: Columns and properties that the class itself keeps or works out: told over HTTP, never set there, and no part
    #: of the definition, so neither of snapshots nor of configurations nor of a trigger's ETag.
    state_fields: ClassVar[Collection[str]] = ()
    #: Sent once per new run when the event is fired, with ``event``, ``user_pk`` and the context.
    fired: ClassVar[Signal] = Signal()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    @classmethod
    def kinds(cls) -> Iterable[EventKind]:
        """
        What can be fired of this class: its own label.

        A class whose rows point at types that are rows themselves answers a kind for each of those, and overrides
        ``kind_named`` and ``kind`` with it.
        """
        return [EventKind(cls._meta.label, cls, {}, cls.context_schema)]

    @classmethod
    def kind_named(cls, name: str) -> EventKind | None:
        """The one of ``kinds`` that has the name."""
        return next((kind for kind in cls.kinds() if kind.name == name), None)

    @property
    def kind(self) -> EventKind:
        """That of the class's kinds which this configured event is of."""
        return next(iter(self.kinds()))

    def should_be_fired(self, **context: Any) -> bool:
        """Whether what happened concerns this configured event; read once per firing."""
        return True

    def get_user_context(self, user: Any, context: Mapping[str, Any]) -> dict[str, Any]:
        """What ``Action.perform`` gets: the user and what ``fire`` was given. Subclasses may add to it."""
        return {"user": user, **context}

    @classmethod
    def sweep(cls, now: datetime) -> None:
        """
        Called by the workers of every engine every TRIGGERS_SWEEP_INTERVAL, for events that time brings about.

        Several workers call it at once, and it does nothing twice. An exception is logged and concerns nothing else.
        """

    def fire(self, user_queryset: models.QuerySet[Any], **context: Any) -> None:
        """Record that this one configured event happened to the users; see :func:`triggers.fire`."""
        from triggers.firing import fire

        fire(self, users=user_queryset, context=context)

    def fire_single(self, user_pk: Any, **context: Any) -> None:
        """As :meth:`fire`, for one user. An unknown user, or None, starts nothing."""
        from triggers.firing import fire

        if type(self).fire is not Event.fire:
            self.fire(get_user_model()._default_manager.filter(pk=user_pk), **context)
        elif user_pk is not None:
            fire(self, users=[user_pk], context=context)

    def handle(self, user_pk: Any, **context: Any) -> None:
        """
        Perform this event's actions for the user in this process before returning.

        The event's delay and ``should_be_fired`` are passed over; conditions are not.
        """
        from triggers.firing import handle

        handle(self, user_pk, context)


class Condition(PolymorphicModel):
    """
    What must hold of a user for the actions to be performed.

    A subclass overrides ``filter_user_queryset``, which serves any number of users with one query, or
    ``is_satisfied`` or ``allows``, which are asked user by user; where it overrides several they must agree.
    """

    #: What a run is marked with when this condition keeps its user out.
    code: ClassVar[str] = "condition_failed"
    #: As those of Event.
    secret_fields: ClassVar[Collection[str]] = ()
    kept_secrets: Collection[str] = ()

    trigger = models.ForeignKey(
        Trigger,
        on_delete=models.CASCADE,
        related_name="conditions",
        related_query_name="condition",
        verbose_name=_("trigger"),
    )

    class Meta:
        verbose_name = _("condition")
        verbose_name_plural = _("conditions")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    def filter_user_queryset(self, user_queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        """The users of the queryset for whom the condition holds."""
        return user_queryset

    def is_satisfied(self, user: Any) -> bool:
        """Whether the condition holds for the user; by default what ``filter_user_queryset`` says."""
        if type(self).filter_user_queryset is Condition.filter_user_queryset:
            return True
        users = get_user_model()._default_manager.filter(pk=user.pk)
        return self.filter_user_queryset(users).exists()

    def allows(self, user: Any, context: Mapping[str, Any]) -> bool:
        """Whether the condition holds for the user and what ``perform`` will get as context."""
        return self.is_satisfied(user)

    @property
    def requirement(self) -> str:
        """What the condition asks for, for people who read why a run was skipped."""
        return str(self)

    def observe(self, user: Any, activity: Activity | None) -> str:
        """What was found instead, for the same people; blank says no more than that it does not hold."""
        return ""

    def observe_in(self, user: Any, context: Mapping[str, Any], activity: Activity | None) -> str:
        """As ``observe``, of a condition that ``allows`` by what is in the context."""
        return self.observe(user, activity)

    def possible_at(self, user: Any, activity: Activity | None) -> datetime | None:
        """When the condition, which does not hold now, will hold if nothing else happens; None: never, or unknown."""
        return None


@dataclass(frozen=True)
class Call:
    """One user's part in :meth:`Action.perform_many`: what ``perform`` would get, and the step's stable key."""

    user: Any
    context: dict[str, Any]
    key: str


class Action(PolymorphicModel):
    """
    What is done for a user. Subclasses implement ``perform``.

    With ``atomic`` (the default) the database effects of ``perform`` and the record of the step are one
    transaction: they happen exactly once. An action that does I/O sets ``atomic = False``: it runs outside a
    transaction, at least once, and hands ``triggers.current_step().key`` to receivers so that they can drop
    repeats.
    """

    class OnFailure(models.TextChoices):
        STOP = "stop", _("stop the run")
        CONTINUE = "continue", _("go on with the next action")

    #: Whether ``perform`` shares one transaction with the record of its success.
    atomic: ClassVar[bool] = True
    #: How often ``perform`` is tried before the step has failed.
    max_attempts: ClassVar[int] = 3
    #: The pause before the second attempt; it doubles with each further one, up to an hour, with jitter.
    backoff: ClassVar[timedelta] = timedelta(seconds=10)
    #: How long one attempt may take. It is interrupted then, in threads at the end of the lease only.
    timeout: ClassVar[timedelta] = timedelta(seconds=60)
    #: As those of Event.
    secret_fields: ClassVar[Collection[str]] = ()
    kept_secrets: Collection[str] = ()

    trigger = models.ForeignKey(
        Trigger,
        null=True,
        on_delete=models.CASCADE,
        related_name="actions",
        related_query_name="action",
        verbose_name=_("trigger"),
    )
    position = models.PositiveIntegerField(
        _("position"),
        default=0,
        db_default=0,
        help_text=_("Actions are performed in the order of their positions."),
    )
    on_failure = models.CharField(
        _("on failure"),
        max_length=8,
        choices=OnFailure.choices,
        default=OnFailure.STOP,
        db_default=OnFailure.STOP,
        help_text=_("What happens to the rest of the run when this action has failed for good."),
    )

    class Meta:
        verbose_name = _("action")
        verbose_name_plural = _("actions")
        ordering = ("position", "id")

    def __str__(self) -> str:
        return str(self._meta.verbose_name)

    def perform(self, user: Any, context: dict[str, Any]) -> Outcome:
        """
        Do it for one user. Raise to be tried again, ``PermanentError`` to fail at once, ``RetryAfter`` to say
        when, ``Activity.Cancel`` to decline; return a :mod:`triggers.flow` outcome to steer the run.
        """
        raise NotImplementedError

    def awaited_types(self) -> Collection[type[Event] | str]:
        """
        The types of events that ``perform`` may have the run wait for, by ``flow.WaitForEvent``.

        From when the first run starts, it is remembered whom events of these types happen to, also where large
        audiences are concerned; of others, for large audiences, from the first wait on.
        """
        return ()

    def perform_many(self, calls: Sequence[Call]) -> Sequence[Outcome | Exception] | None:
        """
        Do it for a chunk of users at once; optional.

        Returns nothing when all succeeded, else one outcome or exception per call, in their order. With
        ``atomic`` all share one transaction: on a raised exception it is rolled back and ``perform`` is
        called one by one.
        """
        raise NotImplementedError


@receiver(pre_delete, sender=Trigger)
def _delete_parts_of_classes_that_are_gone(sender: type[Trigger], instance: Trigger, using: str, **_: Any) -> None:
    """Components of uninstalled classes are invisible to Django's cascade, which would leave them without a trigger."""
    kinds: tuple[Any, ...] = (Event, Condition, Action)
    for kind in kinds:
        parts = kind.objects.using(using).non_polymorphic().filter(trigger=instance.pk)
        gone = [part.pk for part in parts if part.polymorphic_ctype_id and part.get_real_instance_class() is None]
        parts.filter(pk__in=gone)._raw_delete(using)
