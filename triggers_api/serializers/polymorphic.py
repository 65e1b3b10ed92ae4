"""
Serializers of rows that are each of a class of their own. ``type``, the class's Django label, tells which.

Every class that an installed app defines has a serializer, made from its fields unless one was registered; so it
appears in the API, and in its schema, by being defined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, TypeVar

from django.core.exceptions import ValidationError as ModelInvalid
from django.utils.translation import gettext_lazy as _
from polymorphic.models import PolymorphicModel
from rest_framework import serializers

from triggers.registry import component_types, label
from triggers_api import conf
from triggers_api.fields import Strict
from triggers_api.strict import StrictModelSerializer

Variant = TypeVar("Variant", bound="type[VariantSerializer]")


class TypeField(serializers.Field[Any, Any, Any, Any]):
    """The class of the row; every class takes its own only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"source": "*"})

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        return {}  # PolymorphicSerializer has read it

    def to_representation(self, value: Any) -> str:
        return label(value)


class VariantSerializer(Strict, StrictModelSerializer):
    """
    The serializer of one class: ``type``, ``id`` and the class's fields, flat.

    Beside its fields' own validators it asks the model's ``clean`` and its constraints, as the admin does.
    """

    #: Fields of the model that are told in another way, or not at all.
    hidden: ClassVar[frozenset[str]] = frozenset({"polymorphic_ctype"})
    #: Values for the example that clients are shown, where others than the defaults make more sense.
    example: ClassVar[Mapping[str, Any]] = {}
    #: Before the name that it has in the schema, where a class has more than one serializer.
    schema_prefix: ClassVar[str] = ""

    type = TypeField()

    def get_field_names(self, declared_fields: Mapping[str, Any], info: Any) -> Any:
        """``Meta.fields`` or ``Meta.exclude`` where the class has them, else all; type and id come first."""
        meta: Any = self.Meta
        if getattr(meta, "fields", None) is None and getattr(meta, "exclude", None) is None:
            pointers = {
                field.name for field in meta.model._meta.fields if getattr(field.remote_field, "parent_link", 0)
            }
            own = [*info.fields, *info.forward_relations]
            names = [name for name in own if name not in self.hidden and name not in pointers]
        else:
            names = list(super().get_field_names(declared_fields, info))
        return list(dict.fromkeys(["type", "id", *names, *getattr(meta.model, "state_fields", ()), *declared_fields]))

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        """Secrets can be set, and are never told."""
        field_class, options = super().build_standard_field(field_name, model_field)
        model: Any = self.Meta.model
        if field_name in getattr(model, "secret_fields", ()):
            options["write_only"] = True
        return field_class, options

    def get_fields(self) -> dict[str, Any]:
        """What is never told may be left out of a row that has it: it stays as it is."""
        fields = super().get_fields()
        if self.instance is not None:
            for field in fields.values():
                if field.write_only:
                    field.required = False
                    field.default = serializers.empty
        return fields

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        model: Any = self.Meta.model
        instance = model() if self.instance is None else copy(self.instance)
        if self.instance is not None:
            instance.kept_secrets = [name for name in getattr(model, "secret_fields", ()) if name not in attrs]
        columns = {field.name for field in model._meta.fields}
        given = {name: value for name, value in attrs.items() if name in columns}
        for name, value in given.items():
            setattr(instance, name, value)
        try:
            instance.clean()
            instance.validate_constraints(exclude=columns - set(given))
        except ModelInvalid as invalid:
            raise serializers.ValidationError(self._by_field(invalid)) from None
        return attrs

    def _by_field(self, invalid: ModelInvalid) -> dict[str, Any]:
        """The model's errors, under the names that its fields have here."""
        names = {field.source: name for name, field in self.fields.items()}
        detail: Any = serializers.as_serializer_error(invalid)
        return {names.get(name, name): errors for name, errors in detail.items()}


class PolymorphicSerializer(serializers.Serializer[Any]):
    """A row of the base class or of any class below it, by the serializer of its own class."""

    base: ClassVar[type[PolymorphicModel]]
    #: Whether TRIGGERS_API_COMPONENT_TYPES says which may be made.
    is_limited: ClassVar[bool] = True
    #: What serializers are made from where none was registered.
    variant_class: ClassVar[type[VariantSerializer]] = VariantSerializer
    registered: ClassVar[dict[type[PolymorphicModel], type[VariantSerializer]]] = {}

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid": _("Write an object with a type and its fields."),
        "type_required": _("Say which class it is of."),
        "type_invalid": _("Write the name of a class, as in app.ClassName."),
        "type_unknown": _("There is no {kind} of the type “{type}”."),
        "type_immutable": _("This {kind} is of the type “{type}”, which cannot change."),
        "type_not_permitted": _("On this server no {kind} of the type “{type}” can be made over HTTP."),
    }

    @classmethod
    def variants(cls) -> dict[str, type[VariantSerializer]]:
        """The serializer of each class that there is, by type, in the order of the types."""
        found = {label(model): cls.serializer_class_of(model) for model in cls.models()}
        return dict(sorted(found.items()))

    @classmethod
    def models(cls) -> Sequence[Any]:
        """The classes that rows may be of."""
        return component_types(cls.base)

    @classmethod
    def serializer_class_of(cls, model: type[PolymorphicModel]) -> type[VariantSerializer]:
        if model not in cls.registered:
            meta = type("Meta", (), {"model": model})
            attributes = {"Meta": meta, "__doc__": model.__doc__, "example": getattr(model, "api_example", {})}
            cls.registered[model] = type(f"{model.__name__}Serializer", (cls.variant_class,), attributes)
        return cls.registered[model]

    def delegate(self, data: Any, instance: Any = None) -> VariantSerializer:
        """
        The serializer of the data's own class, the data validated; an instance stays of the class that it is.

        It stands alone: a partial change of what holds the row does not make the row's own fields optional.
        """
        if not isinstance(data, Mapping):
            self.fail("invalid")
        serializer_class = self._class_named(data, instance)
        serializer = serializer_class(instance, data=data, partial=self.partial, context=self.context)
        serializer.is_valid(raise_exception=True)
        return serializer

    def run_validation(self, data: Any = serializers.empty) -> Any:
        is_empty, value = self.validate_empty_values(data)
        if is_empty:
            return value
        self._delegate = self.delegate(data, self.instance)
        return self._delegate.validated_data

    def save(self, **fields: Any) -> Any:
        self.instance = self._delegate.save(**fields)
        return self.instance

    def to_representation(self, instance: Any) -> Any:
        serializer_class = self.serializer_class_of(type(instance))
        return serializer_class(instance, context=self.context).data

    def _class_named(self, data: Mapping[str, Any], instance: Any) -> type[VariantSerializer]:
        kind = self.base._meta.verbose_name
        variants = self.variants()
        if "type" not in data:
            if instance is not None and self.partial:
                return self.serializer_class_of(type(instance))
            self._refuse("required", "type_required")
        named = data["type"]
        if not isinstance(named, str):
            self._refuse("invalid", "type_invalid")
        if instance is not None and named != label(instance):
            self._refuse("type_immutable", kind=kind, type=label(instance))
        if named not in variants:
            self._refuse("type_unknown", kind=kind, type=named)
        permitted = conf.component_types()
        if instance is None and permitted is not None and self.is_limited and named not in permitted:
            self._refuse("type_not_permitted", kind=kind, type=named)
        return variants[named]

    def _refuse(self, code: str, message: str = "", **values: Any) -> None:
        text = self.error_messages[message or code].format(**values)
        raise serializers.ValidationError({"type": [serializers.ErrorDetail(text, code)]})


def register(model: type[PolymorphicModel]) -> Callable[[Variant], Variant]:
    """
    Class decorator: the serializer is the model's, in place of the one made from its fields.

    It extends ``ComponentSerializer``, or ``TriggerVariantSerializer`` for a class of triggers.
    """

    def decorate(serializer_class: Variant) -> Variant:
        PolymorphicSerializer.registered[model] = serializer_class
        return serializer_class

    return decorate
