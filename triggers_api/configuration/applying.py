"""From a document to changes: all of them or none, in one transaction. A plan is the same, undone at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from rest_framework.exceptions import ErrorDetail, ValidationError

from triggers import clock
from triggers_api.configuration.sections import ADD, CHANGE, DELETE, Caller, Section, sections
from triggers_api.errors import Path, Problem
from triggers_api.serializers.configuration import ConfigurationSerializer


@dataclass(frozen=True)
class Change:
    """What was done to one row; ``secrets`` are pointers to what differs and is never told."""

    section: str
    name: str
    action: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Left:
    """A row that is not in the document, though its section is."""

    section: str
    name: str


@dataclass
class Outcome:
    """What a document changed, or would have changed."""

    applied: bool
    changes: list[Change] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)


def export() -> dict[str, Any]:
    """The document of what there is."""
    return {section.name: [section.told(row) for row in section.rows().values()] for section in sections()}


def apply(document: Any, *, plan: bool = False, prune: bool = False, caller: Caller | None = None) -> Outcome:
    """
    What there is is as the document says; rows that are so already are not touched.

    Rows of its sections that it does not name are deleted if ``prune``, and left alone else. Sections that it does not
    have are left alone. Raises ValidationError or Problem, which point into the document; nothing is changed then, and
    nothing by a ``plan``.
    """
    serializer = ConfigurationSerializer(data=document)
    serializer.is_valid(raise_exception=True)
    given = [(section, document[section.name]) for section in sections() if section.name in document]
    outcome = Outcome(applied=not plan)
    with transaction.atomic(using=clock.alias()):
        left = [
            (section, row) for section, items in given for row in _apply(section, items, outcome, caller or Caller())
        ]
        for section, row in reversed(left):
            if prune:
                _delete(section, row, outcome, caller or Caller())
            else:
                outcome.left.insert(0, Left(section.name, row.name))
        if plan:
            transaction.set_rollback(True, using=clock.alias())
    return outcome


def _apply(section: Section, items: list[Any], outcome: Outcome, caller: Caller) -> list[Any]:
    """The rows of the section are as the items say. Returns those that none of them names."""
    rows = dict(section.rows(lock=True))
    errors: dict[int, Any] = {}
    names: set[str] = set()
    for index, item in enumerate(items):
        name = item.get("name") if isinstance(item, Mapping) else None
        try:
            with _at((section.name, index)):
                if isinstance(name, str) and name in names:
                    raise ValidationError({"name": [ErrorDetail(f"“{name}” is in the list already.", "repeated")]})
                change = _apply_item(section, item, rows.get(name) if isinstance(name, str) else None, caller)
        except ValidationError as error:
            errors[index] = error.detail
        else:
            names.add(item["name"])
            outcome.changes += [change] if change else []
    if errors:
        raise ValidationError({section.name: errors})  # type: ignore[dict-item]  # by index, as lists have them
    return [row for name, row in rows.items() if name not in names]


def _apply_item(section: Section, item: Any, row: Any | None, caller: Caller) -> Change | None:
    before = None if row is None else section.told(row)
    if before is not None and before == item:
        return None
    action = ADD if row is None else CHANGE
    with transaction.atomic(using=clock.alias()):
        saved = section.save(item, row, caller)
        after = section.told(saved.row)
        if after == before and not saved.secrets:
            # Written differently, it says the same: no row has been touched.
            transaction.set_rollback(True, using=clock.alias())
            return None
        caller.require(section.permission(action))
        caller.note(saved.row, action)
    return Change(section.name, after["name"], action, before, after, saved.secrets)


def _delete(section: Section, row: Any, outcome: Outcome, caller: Caller) -> None:
    caller.require(section.permission(DELETE))
    before = section.told(row)
    caller.note(row, DELETE)
    section.delete(row)
    outcome.changes.append(Change(section.name, before["name"], DELETE, before, None))


@contextmanager
def _at(path: Path) -> Iterator[None]:
    """Problems are told to be at that item."""
    try:
        yield
    except Problem as problem:
        problem.path = (*path, *(problem.path or ()))
        raise
    except IntegrityError:
        detail = "A constraint of the database does not admit the change."
        raise Problem(409, "constraint_violated", detail, path) from None
