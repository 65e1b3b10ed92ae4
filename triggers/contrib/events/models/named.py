"""Events that are fired by a name which somebody has given them, such as ``order.paid``."""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar, Final

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from triggers.contrib.expressions import ExpressionField, evaluate
from triggers.contrib.variables import plain
from triggers.kinds import EventKind
from triggers.models import Event
from triggers.schemas import problems_of

#: As types of CloudEvents are written, and as one can stand at the end of a path.
NAME: Final = r"^[A-Za-z][A-Za-z0-9_-]*([.:/][A-Za-z0-9_-]+)*$"
#: How long a schema may be, in JSON: it is read whenever the event is fired.
MAX_SCHEMA: Final = 2**16

validate_name: Final = RegexValidator(
    NAME.replace("$", r"\Z"),
    _("Begin with a letter and go on with letters, digits, _ and -, and single dots, colons and slashes between them."),
)


def validate_context_schema(schema: Any) -> None:
    """Refuse what no context can be checked against."""
    if len(json.dumps(schema)) > MAX_SCHEMA:
        message = _("The schema is longer than %(most)s characters of JSON.")
        raise ValidationError(message, "schema_too_long", {"most": MAX_SCHEMA})
    for problem, hint in problems_of(schema):
        raise ValidationError("%(problem)s", "schema_invalid", {"problem": f"It {problem} {hint}"})


class EventType(models.Model):
    """A name by which events are fired, and what their contexts hold."""

    name = models.CharField(
        _("name"),
        max_length=200,
        unique=True,
        validators=[validate_name],
        help_text=_("By which it is fired, such as “order.paid”."),
    )
    description = models.TextField(_("description"), blank=True, default="")
    context_schema: Any = models.JSONField(
        _("context schema"),
        null=True,
        blank=True,
        help_text=_("A JSON Schema that every context is checked against. Blank: any context is taken."),
    )

    class Meta:
        verbose_name = _("event type")
        verbose_name_plural = _("event types")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        super().clean()
        if self.name and _is_label(self.name):
            message = _("An installed class has this name: choose another.")
            raise ValidationError({"name": ValidationError(message, "name_taken")})
        if self.context_schema is not None:
            try:
                validate_context_schema(self.context_schema)
            except ValidationError as error:
                raise ValidationError({"context_schema": error}) from None


def _is_label(name: str) -> bool:
    """Whether an installed model is called so, in small or capital letters."""
    try:
        apps.get_model(name)
    except (LookupError, ValueError):
        return False
    return True


class NamedEvent(Event):
    """Something that happens to a user, by the name under which other systems fire it."""

    event_type = models.ForeignKey(
        EventType, to_field="name", on_delete=models.PROTECT, related_name="events", verbose_name=_("event type")
    )

    expression = ExpressionField(
        _("expression"),
        blank=True,
        default="",
        names=["context", "now"],
        help_text=_("Only what it is true of counts, as in “context.amount > 100”. Blank: everything does."),
    )

    #: A component to begin with, in descriptions of the HTTP API.
    api_example: ClassVar[dict[str, Any]] = {"event_type": "order.paid"}

    class Meta:
        verbose_name = _("named event")
        verbose_name_plural = _("named events")

    def __str__(self) -> str:
        return f"“{self.event_type_id}”" if self.event_type_id else super().__str__()

    def should_be_fired(self, **context: Any) -> bool:
        if not self.expression:
            return True
        values = {"context": plain(context), "now": timezone.localtime()}
        return evaluate(self.expression, values) is True

    @classmethod
    def kinds(cls) -> list[EventKind]:
        return [cls._kind_of(type_) for type_ in EventType.objects.order_by("name")]

    @classmethod
    def kind_named(cls, name: str) -> EventKind | None:
        # Databases do not take every text.
        type_ = EventType.objects.filter(name=name).first() if re.fullmatch(NAME, name) else None
        return cls._kind_of(type_) if type_ else None

    @property
    def kind(self) -> EventKind:
        return self._kind_of(self.event_type)

    @classmethod
    def _kind_of(cls, type_: EventType) -> EventKind:
        return EventKind(
            name=type_.name,
            model=cls,
            where={"event_type": type_.name},
            context_schema=type_.context_schema,
            title=type_.name,
            description=type_.description,
        )
