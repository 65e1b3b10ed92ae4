"""The triggers of a configuration, each with all that it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from django.db.models import ProtectedError, RestrictedError

from triggers import clock
from triggers.enabling import refuse_incomplete
from triggers.exceptions import TriggerIncomplete
from triggers.loading import rows
from triggers.models import Trigger
from triggers_api.configuration.matching import with_ids
from triggers_api.configuration.sections import Caller, Saved, Section, plain
from triggers_api.definitions import as_what_they_are, forget_components, load_components
from triggers_api.errors import Problem
from triggers_api.serializers.configuration import ConfiguredTriggerSerializer
from triggers_api.serializers.definitions import ActionSerializer, ConditionSerializer, EventSerializer
from triggers_api.serializers.polymorphic import PolymorphicSerializer, VariantSerializer

_LISTS: Final[Mapping[str, type[PolymorphicSerializer]]] = {
    "events": EventSerializer,
    "conditions": ConditionSerializer,
    "actions": ActionSerializer,
}


class TriggersSection(Section):
    """Triggers. Items say what can be set, without ids; and what is ``missing`` of triggers that miss something."""

    name = "triggers"
    model = Trigger
    serializer_class = ConfiguredTriggerSerializer

    def rows(self, *, lock: bool = False) -> Mapping[str, Trigger]:
        bases = rows(Trigger, clock.alias()).order_by("pk")
        triggers = as_what_they_are(list(bases.select_for_update(no_key=True) if lock else bases))
        load_components(triggers)
        # Databases sort texts each in its own way.
        return {trigger.name: trigger for trigger in sorted(triggers, key=lambda trigger: trigger.name)}

    def told(self, row: Trigger) -> dict[str, Any]:
        told = _told(row)
        item = _settable(told, ConfiguredTriggerSerializer)
        for name, kind in _LISTS.items():
            item[name] = [_settable(component, kind) for component in told.get(name, ())]
        return item | ({"missing": told["missing"]} if told.get("missing") else {})

    def save(self, item: Any, row: Trigger | None, caller: Caller) -> Saved:
        if row is not None:
            now = _told(row)
            item = {**item, **{name: with_ids(item[name], now.get(name, [])) for name in _LISTS if name in item}}
        was_enabled = row is not None and row.is_enabled
        serializer = ConfiguredTriggerSerializer(row)
        secrets = tuple(_secrets(serializer.run_validation(item)))
        trigger: Trigger = serializer.save()
        if trigger.is_enabled != was_enabled:
            caller.require("triggers.enable_trigger")
        if trigger.is_enabled:
            try:
                refuse_incomplete(trigger)
            except TriggerIncomplete as error:
                raise Problem(409, error.code, str(error)) from None
        forget_components(trigger)
        return Saved(trigger, secrets)

    def delete(self, row: Trigger) -> None:
        try:
            row.delete()
        except (ProtectedError, RestrictedError):
            detail = "Other rows refer to the trigger and protect it: delete them, or what they refer to, first."
            raise Problem(409, "trigger_protected", f"“{row.name}”: {detail}") from None


def _told(trigger: Trigger) -> dict[str, Any]:
    told: dict[str, Any] = plain(ConfiguredTriggerSerializer().to_representation(trigger))
    return told


def _settable(told: Mapping[str, Any], kind: type[PolymorphicSerializer]) -> dict[str, Any]:
    """What is told without what cannot be set, and without the id."""
    fields = kind.variants()[told["type"]]().fields
    return {name: value for name, value in told.items() if name != "id" and not fields[name].read_only}


def _secrets(values: Mapping[str, Any]) -> Iterator[str]:
    """Pointers to values that are never told and differ from those that the components have."""
    for name, drafts in values.items():
        if not (isinstance(drafts, list) and all(isinstance(draft, VariantSerializer) for draft in drafts)):
            continue
        for index, draft in enumerate(drafts):
            for field in draft.fields.values():
                source = field.source
                if field.write_only and source in draft.validated_data:
                    value = draft.validated_data[source]
                    if draft.instance is None or getattr(draft.instance, source, None) != value:
                        yield f"/{name}/{index}/{field.field_name}"
