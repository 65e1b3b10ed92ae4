"""
What did happen: an Occurrence of an event, its Runs (one per configured event and user) and their Steps.

Rows are written by ``firing`` and ``running`` alone. References to definitions carry no database constraint:
records outlive what was configured when they were made, and writing them locks no configuration row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from triggers.ids import uuid7


def _past_reference(to: str, **options: Any) -> Any:
    """A reference to a row that may be gone: reading it raises DoesNotExist then."""
    return models.ForeignKey(
        to, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+", **options
    )


class Occurrence(models.Model):
    """An event happened once: what, when, to whom, and what became of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    type = models.CharField(_("event type"), max_length=200)
    event = _past_reference("triggers.Event", null=True, verbose_name=_("configured event"))
    context = models.JSONField(_("context"), default=dict)
    occurred_at = models.DateTimeField(_("occurred at"))
    delay = models.DurationField(_("extra delay"), default=timedelta())
    recorded_at = models.DateTimeField(_("recorded at"), auto_now_add=True)
    fired_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("fired by"),
    )
    source = models.CharField(_("source"), max_length=200, blank=True, default="")
    key = models.CharField(_("key"), max_length=255, blank=True, default="")
    dedupe_key = models.CharField(max_length=64, null=True, unique=True, editable=False)
    fingerprint = models.CharField(max_length=64, blank=True, default="", editable=False)
    cause = _past_reference("triggers.Run", null=True, verbose_name=_("caused by run"))
    depth = models.PositiveSmallIntegerField(_("depth"), default=0)
    #: One entry per configured event of the type: {event, trigger, trigger_name, code, detail}.
    matches = models.JSONField(_("matches"), default=list)
    unknown_users = models.JSONField(_("unknown users"), default=list)
    code = models.CharField(_("code"), max_length=64, blank=True, default="")
    detail = models.TextField(_("detail"), blank=True, default="")

    class Meta:
        verbose_name = _("occurrence")
        verbose_name_plural = _("occurrences")
        permissions: ClassVar = [
            ("fire_event", _("Can fire events")),
            ("fire_event_to_all", _("Can fire events to everybody")),
            ("explain_event", _("Can ask what an event would do")),
            ("view_context", _("Can see contexts and the details of errors")),
        ]
        indexes: ClassVar = [models.Index(fields=["type", "id"], name="triggers_occurrence_type")]

    #: Whether ``fire`` found this occurrence under its key instead of making it.
    replayed: bool = False

    def __str__(self) -> str:
        return f"{self.type} {self.id}"


class AudienceChunk(models.Model):
    """
    Users to whom an event happened and who have no runs yet; a worker makes them: up to a thousand by their keys, or
    those of a named audience who come after the cursor. One without a configured event is for runs that wait.
    """

    SIZE: ClassVar[int] = 1000
    MAX_NAME_LENGTH: ClassVar[int] = 64

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    occurrence = models.ForeignKey(Occurrence, on_delete=models.CASCADE, related_name="audience_chunks")
    event = _past_reference("triggers.Event", null=True)
    trigger = _past_reference("triggers.Trigger", null=True)
    engine = models.CharField(max_length=16)
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)
    user_keys = models.JSONField(default=list)
    audience = models.CharField(max_length=MAX_NAME_LENGTH, blank=True, default="", db_default="")
    #: The last key of the audience that was read.
    cursor = models.JSONField(null=True)
    due_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    next_handover_at = models.DateTimeField(null=True)
    handovers = models.PositiveSmallIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["engine", "next_handover_at"],
                condition=models.Q(next_handover_at__isnull=False),
                name="triggers_chunk_handover",
            )
        ]

    def __str__(self) -> str:
        return f"{self.occurrence_id} {self.id}"


@dataclass(frozen=True)
class Awaited:
    """The event that a run waits for: its type and what its context must hold, as stored; from when, and how long."""

    type: str
    context: dict[str, Any]
    since: datetime | None
    until: datetime | None
    on_timeout: str


class RunQuerySet(models.QuerySet["Run"]):
    def open(self) -> RunQuerySet:
        """Runs that have not ended."""
        return self.filter(status__in=Run.OPEN)

    def unproven(self) -> RunQuerySet:
        """Open runs that are counted in the Activity and may yet give their place back: no step has succeeded."""
        return self.open().filter(reserved_at__isnull=False, steps_succeeded=0)

    def retriable(self) -> RunQuerySet:
        """Runs that failed, or were stopped because their trigger was disabled."""
        return self.filter(
            models.Q(status=Run.Status.FAILED) | models.Q(status=Run.Status.CANCELLED, code="trigger_disabled")
        )


class Run(models.Model):
    """One configured event, one user, one occurrence: a small state machine that ``running.advance`` moves on."""

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        RUNNING = "running", _("running")
        WAITING = "waiting", _("waiting")
        SUCCEEDED = "succeeded", _("succeeded")
        SKIPPED = "skipped", _("skipped")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    OPEN: ClassVar[tuple[str, ...]] = (Status.PENDING, Status.RUNNING, Status.WAITING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    occurrence = models.ForeignKey(
        Occurrence,
        on_delete=models.CASCADE,
        related_name="runs",
        db_index=False,
        verbose_name=_("occurrence"),
    )
    event = _past_reference("triggers.Event", verbose_name=_("configured event"))
    trigger = _past_reference("triggers.Trigger", verbose_name=_("trigger"))
    trigger_name = models.CharField(_("trigger"), max_length=64)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="trigger_runs",
        related_query_name="trigger_run",
        verbose_name=_("user"),
    )
    engine = models.CharField(_("engine"), max_length=16)
    #: Raised each time that the run is opened again, for engines that know it by a name that serves once.
    generation = models.PositiveSmallIntegerField(default=1, db_default=1, editable=False)

    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.PENDING)
    code = models.CharField(_("code"), max_length=64, blank=True, default="")
    detail = models.TextField(_("detail"), blank=True, default="")
    #: The condition that decided: {condition, type, name, required, observed}; null where none did.
    decision = models.JSONField(_("decision"), null=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True)
    ended_at = models.DateTimeField(_("ended at"), null=True)
    #: When the run may go on; null is at once.
    due_at = models.DateTimeField(_("due at"), null=True)

    #: The definition that the run keeps to since it first waited; null where it follows the trigger's own.
    snapshot = _past_reference("triggers.Snapshot", null=True)
    #: The event that the run waits for, until it is due; null where it waits for none.
    awaited_type = models.CharField(max_length=200, null=True, editable=False)
    #: What the event's context must hold, as stored.
    awaited_context = models.JSONField(null=True, editable=False)
    #: What was recorded from then on counts.
    awaited_since = models.DateTimeField(null=True, editable=False)
    #: Whether the run ends where the event does not come.
    stops_on_timeout = models.BooleanField(default=False, db_default=False, editable=False)
    #: The occurrence that ended the wait; null again when the run has gone on.
    woken_by = _past_reference("triggers.Occurrence", null=True)

    #: The number of its steps that are over, and so the position of the next one.
    position = models.PositiveSmallIntegerField(default=0)
    steps_succeeded = models.PositiveSmallIntegerField(default=0)

    token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    losses = models.PositiveSmallIntegerField(default=0, editable=False)
    postponements = models.PositiveSmallIntegerField(default=0, editable=False)
    #: When the run was counted in the Activity, and the last_action_datetime that this replaced.
    reserved_at = models.DateTimeField(null=True, editable=False)
    replaced_action_datetime = models.DateTimeField(null=True, editable=False)
    cancel_requested_at = models.DateTimeField(_("cancel requested at"), null=True)
    replay_of = _past_reference("triggers.Run", null=True, verbose_name=_("replay of"))
    #: When the sweep hands the run to its engine; null once the run has ended.
    next_handover_at = models.DateTimeField(null=True, editable=False)
    handovers = models.PositiveSmallIntegerField(default=0, editable=False)

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        permissions: ClassVar = [("operate_run", _("Can cancel, retry and replay runs"))]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["occurrence", "event", "user"], name="triggers_run_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "trigger"], name="triggers_run_user_trigger"),
            models.Index(fields=["trigger", "id"], name="triggers_run_trigger"),
            models.Index(
                fields=["engine", "next_handover_at"],
                condition=models.Q(next_handover_at__isnull=False),
                name="triggers_run_handover",
            ),
            # Who may be waiting for an event, or come to.
            models.Index(fields=["user"], condition=models.Q(ended_at__isnull=True), name="triggers_run_open"),
            models.Index(fields=["snapshot"], condition=models.Q(snapshot__isnull=False), name="triggers_run_snapshot"),
        ]

    def __str__(self) -> str:
        return f"{self.trigger_name} {self.id}"

    @property
    def can_be_retried(self) -> bool:
        """Whether the run failed, or was stopped because its trigger was disabled."""
        return self.status == self.Status.FAILED or (
            self.status == self.Status.CANCELLED and self.code == "trigger_disabled"
        )

    @property
    def is_open(self) -> bool:
        """Whether the run has not ended yet."""
        return self.status in self.OPEN

    @property
    def is_awaiting(self) -> bool:
        """Whether the run waits for an event that has not come, up to ``due_at``."""
        return self.status == self.Status.WAITING and self.awaited_type is not None and self.woken_by_id is None

    @property
    def waiting_for(self) -> Awaited | None:
        """The event that the run waits for; None if it waits for its time alone, or not at all."""
        if not self.is_awaiting or self.awaited_type is None:
            return None
        return Awaited(
            type=self.awaited_type,
            context=self.awaited_context or {},
            since=self.awaited_since,
            until=self.due_at,
            on_timeout="stop" if self.stops_on_timeout else "continue",
        )


class Step(models.Model):
    """One action of a run: how often it was tried, when, and how it ended."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting for the next attempt")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        DECLINED = "declined", _("declined")
        SKIPPED = "skipped", _("skipped")

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps", db_index=False, verbose_name=_("run"))
    position = models.PositiveSmallIntegerField(_("position"))
    action = _past_reference("triggers.Action", verbose_name=_("action"))
    type = models.CharField(_("action type"), max_length=200)
    status = models.CharField(_("status"), max_length=16, choices=Status.choices)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    started_at = models.DateTimeField(_("started at"))
    ended_at = models.DateTimeField(_("ended at"), null=True)
    detail = models.TextField(_("detail"), blank=True, default="")
    #: What the action has kept of its last attempt, as stored; null where it kept nothing.
    result = models.JSONField(_("result"), null=True)
    #: The occurrence that ended the wait which the step began.
    woken_by = _past_reference("triggers.Occurrence", null=True, verbose_name=_("woken by"))
    error_type = models.CharField(_("error"), max_length=200, blank=True, default="")
    error_message = models.TextField(_("error message"), blank=True, default="")
    error_traceback = models.TextField(_("traceback"), blank=True, default="")

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ("position",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "position"], name="triggers_step_once")]

    def __str__(self) -> str:
        return f"{self.position + 1}. {self.type}"

    @property
    def key(self) -> str:
        """The same for every attempt at this step, different for every other: receivers drop repeats by it."""
        return f"{self.run_id}:{self.position}"


class Happening(models.Model):
    """
    An occurrence happened to a user who had a run that was not over: one that waited for it, or might come to.

    Written with the occurrence, or by the worker that takes its audience apart. The times are the database's.
    """

    occurrence = models.ForeignKey(Occurrence, on_delete=models.CASCADE, related_name="happenings", db_index=False)
    user = _past_reference(settings.AUTH_USER_MODEL)
    type = models.CharField(max_length=200)
    recorded_at = models.DateTimeField(db_default=Now(), editable=False)
    #: When it was first looked which runs waited for it.
    looked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["occurrence", "user"], name="triggers_happening_once")]
        indexes: ClassVar = [
            models.Index(fields=["user", "type", "recorded_at"], name="triggers_happening_user"),
            models.Index(
                fields=["recorded_at"], condition=models.Q(looked_at__isnull=True), name="triggers_happening_new"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.occurrence_id} for {self.user_id}"


class AwaitedType(models.Model):
    """A type of events that runs wait for: large audiences to which one happens are looked through for such runs."""

    type = models.CharField(max_length=200, primary_key=True)

    def __str__(self) -> str:
        return self.type


class Snapshot(models.Model):
    """A definition as it was when runs began to wait; equal ones are kept once."""

    digest = models.CharField(max_length=64, primary_key=True)
    definition = models.JSONField()
    #: When a run was last pinned to it, to a day: after long disuse it is forgotten.
    used_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.digest
