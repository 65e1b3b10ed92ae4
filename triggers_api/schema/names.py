"""What components of the schema are called: the same in every project, whatever else it has installed."""

from __future__ import annotations

from typing import Any, Final

from django.db import models
from polymorphic.models import PolymorphicModel
from rest_framework import serializers
from rest_framework.fields import Field

_OURS: Final = "triggers"


def variant_name(model: type[models.Model]) -> str:
    """The name of a class of triggers or components: two apps may use one class name."""
    app = "".join(part.capitalize() for part in model._meta.app_label.split("_"))
    return f"{app}{model.__name__}"


def enumeration_name(field: Field[Any, Any, Any, Any], models_asked: type[models.Model] | None = None) -> str:
    """The name of the choices of a serializer's field: by the model that has the field, else by the serializer."""
    parent: Any = field.parent
    model = getattr(getattr(parent, "Meta", None), "model", None) or models_asked
    owner, name = _owner(model, str(field.source or field.field_name))
    if owner is None:
        owner = type(parent).__name__.removesuffix("Serializer").removesuffix("Query")
        name = str(field.field_name)
    return owner + "".join(part.capitalize() for part in name.split("_")) + "Enum"


def model_field(field: Field[Any, Any, Any, Any]) -> models.Field[Any, Any] | None:
    """The field of the model that a serializer's field stands for."""
    parent: Any = field.parent
    if isinstance(parent, serializers.ListSerializer | serializers.ListField):
        return model_field(parent)
    model = getattr(getattr(parent, "Meta", None), "model", None)
    return _field(model, str(field.source or field.field_name))


def _owner(model: Any, name: str) -> tuple[str | None, str]:
    found = _field(model, name)
    if found is None:
        return None, name
    is_variant = issubclass(found.model, PolymorphicModel) and found.model._meta.app_label != _OURS
    return variant_name(found.model) if is_variant else found.model.__name__, name


def _field(model: Any, name: str) -> models.Field[Any, Any] | None:
    if model is None:
        return None
    return next((field for field in model._meta.fields if name in (field.name, field.attname)), None)
