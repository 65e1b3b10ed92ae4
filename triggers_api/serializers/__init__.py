"""
The JSON of the API.

The serializers of triggers and their components serve other views too: each knows every class that is installed.
A project gives a class of its own a serializer by ``@register(Model)`` on a subclass of ``ComponentSerializer``.
"""

from triggers_api.serializers.definitions import (
    ActionSerializer,
    ComponentSerializer,
    ConditionSerializer,
    EventSerializer,
    TriggerSerializer,
    TriggerVariantSerializer,
)
from triggers_api.serializers.polymorphic import register

__all__ = [
    "ActionSerializer",
    "ComponentSerializer",
    "ConditionSerializer",
    "EventSerializer",
    "TriggerSerializer",
    "TriggerVariantSerializer",
    "register",
]
