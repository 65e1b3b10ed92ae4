"""
Snapshots: the definition that a run keeps to from its first wait on, as JSON.

As long as the trigger is as it was, its own rows are used. Once it was edited, event, conditions and actions are made
again of what was written: columns and the ids of related rows, which are read as they are today. Secrets are never
written; they are taken from the component's own row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

from django.apps import apps
from django.db.models import Field, JSONField
from django.db.models.expressions import DatabaseDefault

from triggers.context import canonical
from triggers.exceptions import DefinitionPinned
from triggers.loading import Definition, rows
from triggers.models import Action, Condition, Event, Run, Snapshot, Trigger
from triggers.registry import label

#: How exactly it is known when a snapshot was last used, so that not every wait writes to it.
USED_TO: Final = timedelta(days=1)

Component = Event | Condition | Action


def keep(definition: Definition, event: Event, now: datetime, using: str) -> str:
    """The definition is written, in the transaction of the wait, unless it was before; returns its digest."""
    described = _describe(definition, event)
    digest = _digest(described)
    snapshot = Snapshot(digest=digest, definition=described, used_at=now)
    Snapshot.objects.using(using).bulk_create([snapshot], ignore_conflicts=True)
    Snapshot.objects.using(using).filter(pk=digest, used_at__lt=now - USED_TO).update(used_at=now)
    return digest


class Pins:
    """The definitions that those runs are pinned to, each read and made once."""

    def __init__(self, runs: Collection[Run], using: str) -> None:
        self._using = using
        digests = {run.snapshot_id for run in runs if run.snapshot_id}
        self._snapshots = Snapshot.objects.using(using).in_bulk(list(digests)) if digests else {}
        self._made: dict[str, tuple[Definition, Event | None]] = {}
        self._digests: dict[tuple[int, int], str] = {}

    def of(self, run: Run, today: Definition | None, event: Event | None) -> tuple[Definition | None, Event | None]:
        """What the run is performed by, given its trigger's definition and event as they are today."""
        snapshot = self._snapshots.get(run.snapshot_id or "")
        if snapshot is None or today is None:
            return today, event
        if event is not None and not today.missing and self._digest_of(today, event) == snapshot.digest:
            return today, event
        if snapshot.digest not in self._made:
            self._made[snapshot.digest] = _rebuild(snapshot, today.trigger, self._using)
        return self._made[snapshot.digest]

    def _digest_of(self, definition: Definition, event: Event) -> str:
        key = (definition.trigger.pk, event.pk)
        if key not in self._digests:
            self._digests[key] = _digest(_describe(definition, event))
        return self._digests[key]


def _describe(definition: Definition, event: Event) -> dict[str, Any]:
    return {
        "event": _part(event),
        "conditions": [_part(condition) for condition in definition.conditions],
        "actions": [_part(action) for action in definition.actions],
    }


def _digest(described: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(described).encode()).hexdigest()


def _part(component: Component) -> dict[str, Any]:
    columns = {field.attname: _written(field, component) for field in _told(type(component))}
    return {"type": label(component), "id": component.pk, "columns": columns}


def _told(model: type[Component]) -> list[Any]:
    """The columns of the class and of those above it, without its secrets and what it keeps itself."""
    left_out = {*model.secret_fields, *getattr(model, "state_fields", ())}
    return [field for field in model._meta.concrete_fields if field.name not in left_out]


def _written(field: Field[Any, Any], component: Component) -> Any:
    value = field.value_from_object(component)
    if isinstance(field, JSONField):
        return json.loads(json.dumps(value, cls=field.encoder))
    return value if value is None or isinstance(value, bool | int | str) else field.value_to_string(component)


def _read(field: Field[Any, Any], columns: dict[str, Any]) -> Any:
    """The value that was written; the default of a column that there was not then."""
    if field.attname not in columns:
        default = field.get_default()
        if not isinstance(default, DatabaseDefault):
            return default
        (constant,) = default.get_source_expressions()
        return getattr(constant, "value", None)
    value = columns[field.attname]
    if isinstance(field, JSONField):
        return json.loads(json.dumps(value), cls=field.decoder)
    return field.to_python(value)


def _rebuild(snapshot: Snapshot, trigger: Trigger, using: str) -> tuple[Definition, Event | None]:
    definition = Definition(trigger)
    described = snapshot.definition
    events: list[Event] = []
    for base, parts, made in (
        (Event, [described["event"]], events),
        (Condition, described["conditions"], definition.conditions),
        (Action, described["actions"], definition.actions),
    ):
        _make(base, parts, made, definition, using)
    return definition, events[0] if events else None


def _make(base: type[Any], parts: Sequence[Any], made: list[Any], definition: Definition, using: str) -> None:
    for part in parts:
        model = _installed(base, part["type"])
        if model is None:
            definition.missing.append(part["type"])
            continue
        fields = _told(model)
        values = [_read(field, part["columns"]) for field in fields]
        component = model.from_db(using, [field.attname for field in fields], values)
        component.trigger = definition.trigger
        if not _take_secrets(component, using):
            definition.without_secrets.append(component)
        component.save_base = component.delete = _refuse
        made.append(component)


def _installed(base: type[Any], type_: str) -> type[Any] | None:
    try:
        model = apps.get_model(type_)
    except (LookupError, ValueError):
        return None
    return model if issubclass(model, base) else None


def _take_secrets(component: Component, using: str) -> bool:
    """Put the secrets of the component's own row on it; whether they are there, if it has any."""
    names = list(type(component).secret_fields)
    if not names:
        return True
    kept: dict[str, Any] | None = rows(type(component), using).filter(pk=component.pk).values(*names).first()
    for name, value in (kept or {}).items():
        field: Any = component._meta.get_field(name)
        setattr(component, field.attname, value)
    return kept is not None


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise DefinitionPinned("This is the component as it was when the run began to wait: it is not saved or deleted.")
