"""Triggers with their events, conditions and actions, as they are told and set up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, NoReturn

from django.utils.translation import gettext_lazy as _
from polymorphic.models import PolymorphicModel
from rest_framework import serializers

from triggers import engines
from triggers.models import Action, Condition, Event, Trigger
from triggers.registry import label
from triggers_api.definitions import components_of, forget_components
from triggers_api.fields import whole
from triggers_api.serializers.polymorphic import PolymorphicSerializer, VariantSerializer
from triggers_api.strict import ChoiceField, IntegerField

#: How many events, conditions or actions one trigger may have.
MAX_COMPONENTS: Final = 100


class ComponentIdField(IntegerField):
    """The id by which a component that the trigger has is meant; left out for a new one."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("required", False)
        super().__init__(**options, source="*")

    def to_internal_value(self, data: Any) -> Any:
        return {}  # ComponentList has read it

    def to_representation(self, value: Any) -> Any:
        return value.pk


class ComponentSerializer(VariantSerializer):
    """One class of components. The trigger is the one it is sent with, the position its place in the list."""

    hidden = VariantSerializer.hidden | {"trigger", "position"}

    id = ComponentIdField()


class EventSerializer(PolymorphicSerializer):
    """An event of any class."""

    base = Event
    variant_class = ComponentSerializer


class ConditionSerializer(PolymorphicSerializer):
    """A condition of any class."""

    base = Condition
    variant_class = ComponentSerializer


class ActionSerializer(PolymorphicSerializer):
    """An action of any class."""

    base = Action
    variant_class = ComponentSerializer


class ComponentList(serializers.ListSerializer[Any]):
    """
    All of a trigger's components of a kind. An item with an id is one that the trigger has, one without is new;
    those that are not among the items are deleted.
    """

    child: PolymorphicSerializer

    default_error_messages: ClassVar[dict[str, Any]] = {
        "component_unknown": _("The trigger has no {kind} with the id {id}; leave the id out to add one."),
        "component_repeated": _("The {kind} with the id {id} is in the list already."),
    }

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("default", list)
        options.setdefault("max_length", MAX_COMPONENTS)
        super().__init__(*args, **options)
        self._components: dict[int, Any] = {}
        self._taken: set[int] = set()

    def get_attribute(self, instance: Trigger) -> list[Any]:
        return components_of(instance).of(self.child.base)

    def to_representation(self, data: Any) -> Any:
        return [self.child.to_representation(component) for component in data]

    def to_internal_value(self, data: Any) -> list[VariantSerializer]:
        trigger = getattr(self.parent, "instance", None)
        self._components = {} if trigger is None else {row.pk: row for row in self.get_attribute(trigger)}
        self._taken = set()
        serializers_: list[VariantSerializer] = super().to_internal_value(data)
        return serializers_

    def run_child_validation(self, data: Any) -> VariantSerializer:
        if not isinstance(data, dict) or "id" not in data:
            return self.child.delegate(data)
        id = whole(data["id"])
        if id is None or id not in self._components:
            self._refuse("component_unknown", data["id"])
        if id in self._taken:
            self._refuse("component_repeated", id)
        self._taken.add(id)
        return self.child.delegate(data, self._components[id])

    def save_for(self, trigger: Trigger, drafts: Sequence[VariantSerializer]) -> None:
        """The trigger has these components and no others, in this order."""
        for component in self.get_attribute(trigger):
            if component.pk not in self._taken:
                component.delete()
        is_ordered = any(field.name == "position" for field in self.child.base._meta.fields)
        for position, draft in enumerate(drafts):
            draft.save(trigger=trigger, **({"position": position} if is_ordered else {}))

    def _refuse(self, code: str, id: Any) -> NoReturn:
        text = self.error_messages[code].format(kind=self.child.base._meta.verbose_name, id=id)
        raise serializers.ValidationError({"id": [serializers.ErrorDetail(text, code)]})


class TriggerVariantSerializer(VariantSerializer):
    """A trigger with all that it is made of. The order of its actions is that in which they are performed."""

    is_enabled = serializers.BooleanField(read_only=True, help_text=_("Set by enable/ and disable/."))
    engine = ChoiceField(
        choices=[(name, name) for name in engines.names()],
        allow_blank=True,
        default="",
        help_text=_("What runs this trigger. Blank: the project's default. Concerns later events only."),
    )
    events = ComponentList(child=EventSerializer(), help_text=_("What starts the trigger: any one of these."))
    conditions = ComponentList(child=ConditionSerializer(), help_text=_("What must hold of the user: all of these."))
    actions = ComponentList(child=ActionSerializer(), help_text=_("What is done then, in this order."))
    missing = serializers.SerializerMethodField(
        help_text=_("Parts whose class is not installed; they stay as they are, and keep the trigger from running.")
    )

    def get_missing(self, trigger: Trigger) -> list[str]:
        return components_of(trigger).missing

    def create(self, validated_data: dict[str, Any]) -> Any:
        drafts = self._drafts(validated_data)
        return self._save_components(super().create(validated_data), drafts)

    def update(self, instance: Any, validated_data: dict[str, Any]) -> Any:
        drafts = self._drafts(validated_data)
        return self._save_components(super().update(instance, validated_data), drafts)

    def _drafts(self, validated_data: dict[str, Any]) -> dict[ComponentList, Sequence[VariantSerializer]]:
        lists = [field for field in self.fields.values() if isinstance(field, ComponentList)]
        return {field: validated_data.pop(field.field_name) for field in lists if field.field_name in validated_data}

    def _save_components(self, trigger: Trigger, drafts: dict[ComponentList, Sequence[VariantSerializer]]) -> Trigger:
        for field, components in drafts.items():
            field.save_for(trigger, components)
        forget_components(trigger)
        return trigger


class TriggerSerializer(PolymorphicSerializer):
    """A trigger of any class."""

    base = Trigger
    variant_class = TriggerVariantSerializer
    is_limited = False

    @classmethod
    def models(cls) -> Sequence[Any]:
        return [Trigger, *super().models()]


#: The serializer of each kind of what people set up.
KINDS: tuple[type[PolymorphicSerializer], ...] = (
    EventSerializer,
    ConditionSerializer,
    ActionSerializer,
    TriggerSerializer,
)


def serializer_class_for(model: type[PolymorphicModel]) -> type[VariantSerializer]:
    """The serializer of the class. Raises LookupError for a model that is neither a trigger nor a component."""
    for kind in KINDS:
        if issubclass(model, kind.base):
            return kind.serializer_class_of(model)
    raise LookupError(f"{label(model)} is neither a trigger nor a component.")
