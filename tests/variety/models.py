"""Components with fields of every kind, a component whose serializer is registered, and a class of triggers."""

from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models

from triggers.models import Action, Condition, Event, Trigger


class Version:
    """A number of parts, such as 1.2."""

    def __init__(self, text: str) -> None:
        self.parts = [int(part) for part in text.split(".")]

    def __str__(self) -> str:
        return ".".join(str(part) for part in self.parts)


def first_version() -> Version:
    return Version("1.0")


class VersionField(models.Field):  # type: ignore[type-arg]
    """A field that only its own app knows."""

    def db_type(self, connection: Any) -> str:
        return "varchar(64)"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Version:
        return Version(value)

    def to_python(self, value: Any) -> Version:
        return value if isinstance(value, Version) else Version(value)  # an AttributeError for what is no text

    def get_prep_value(self, value: Any) -> str:
        return str(value)

    def value_to_string(self, obj: Any) -> str:
        return str(self.value_from_object(obj))


class AddressField(models.URLField):  # type: ignore[type-arg]
    """A URL; without a scheme it is meant to have HTTPS."""

    def formfield(self, **options: Any) -> Any:
        return super().formfield(**{"assume_scheme": "https"} | options)

    def deconstruct(self) -> Any:
        name, _path, args, options = super().deconstruct()
        return name, "django.db.models.URLField", args, options


class VariedCondition(Condition):
    """Has a field of every kind."""

    class Size(models.IntegerChoices):
        SMALL = 1
        LARGE = 2

    text = models.CharField(max_length=5, default="text")
    lines = models.TextField(blank=True)
    address = models.EmailField(blank=True)
    url = AddressField(blank=True)
    slug = models.SlugField(blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True)
    flag = models.BooleanField(default=False)
    maybe = models.BooleanField(null=True)
    small = models.PositiveSmallIntegerField(default=0)
    number = models.IntegerField(default=0, validators=[MaxValueValidator(10)])
    big = models.BigIntegerField(default=0)
    ratio = models.FloatField(default=0.5)
    amount = models.DecimalField(max_digits=6, decimal_places=2, default=Decimal("1.50"))
    day = models.DateField(null=True, blank=True)
    moment = models.DateTimeField(null=True, blank=True)
    time = models.TimeField(null=True, blank=True)
    period = models.DurationField(null=True, blank=True)
    uuid = models.UUIDField(null=True, blank=True)
    data = models.JSONField(default=dict, blank=True)
    size = models.IntegerField(choices=Size, default=Size.SMALL)
    color = models.CharField(max_length=5, choices=[("red", "Red"), ("green", "Green")], blank=True)
    version = VersionField(default=first_version)
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    groups = models.ManyToManyField(Group, blank=True, related_name="+")
    computed = models.CharField(max_length=5, default="own", editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(big=13), name="variety_no_thirteen", violation_error_message="Not thirteen."
            )
        ]

    def clean(self) -> None:
        if self.text == "bad":
            raise ValidationError({"text": ValidationError("Not this text.", "bad_text")})
        if self.flag and self.maybe:
            raise ValidationError("Not both flags.", "both_flags")


class CheckedEvent(Event):
    """Says what its context is to be."""

    context_schema: ClassVar[Any] = {
        "type": "object",
        "properties": {"order": {"type": "object", "properties": {"amount": {"type": "number", "minimum": 0}}}},
    }


class SecretAction(Action):
    """Has a secret, and a field with a name that the API keeps for itself: its serializer is registered."""

    secret = models.CharField(max_length=64)
    kind = models.CharField(max_length=64, default="plain")

    def perform(self, user: Any, context: dict[str, Any]) -> None:
        return None


class SeasonalTrigger(Trigger):
    """A trigger of a class of its own."""

    season = models.CharField(max_length=6, choices=[("summer", "Summer"), ("winter", "Winter")], default="summer")


class Note(models.Model):
    """Keeps the trigger that it is about from being deleted."""

    trigger = models.ForeignKey(Trigger, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"Note on {self.trigger}"
