"""What a configuration has sections of. Each holds rows of one kind, which are known by their names."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.apps import apps
from django.db.models import Model
from django.utils.module_loading import import_string
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import BaseSerializer

from triggers_api import history
from triggers_api.errors import Problem

ADD, CHANGE, DELETE = "add", "change", "delete"
#: The actions as the admin's history numbers them.
LOGGED: Final = {ADD: history.ADDED, CHANGE: history.CHANGED, DELETE: history.DELETED}


@dataclass(frozen=True)
class Caller:
    """Who applies a configuration: what they may do, and where it is noted that they did it."""

    may: Callable[[str], bool] = lambda permission: True
    note: Callable[[Any, str], None] = lambda row, action: None

    def require(self, permission: str) -> None:
        if not self.may(permission):
            raise Problem(403, "permission_denied", f"To do this you need the permission {permission}.")


@dataclass(frozen=True)
class Saved:
    """A row as an item of the document has it now, and pointers to what changed that is never told."""

    row: Any
    secrets: tuple[str, ...] = ()


class Section(ABC):
    """One kind of rows."""

    #: The key in the document.
    name: ClassVar[str]
    model: ClassVar[type[Model]]
    #: Of one item.
    serializer_class: ClassVar[type[BaseSerializer[Any]]]

    @abstractmethod
    def rows(self, *, lock: bool = False) -> Mapping[str, Any]:
        """All rows by name, in the order of names; if ``lock``, nobody else changes them until the transaction ends."""

    @abstractmethod
    def told(self, row: Any) -> dict[str, Any]:
        """The row as an item of a document, in plain JSON values."""

    @abstractmethod
    def save(self, item: Any, row: Any | None, caller: Caller) -> Saved:
        """The row, a new one if there is none, is as the item says. Raises what says why it cannot be."""

    def delete(self, row: Any) -> None:
        row.delete()

    def permission(self, action: str) -> str:
        """What it takes to add, change, delete or view rows."""
        return f"{self.model._meta.app_label}.{action}_{self.model._meta.model_name}"


def sections() -> list[Section]:
    """
    In the order in which they are applied: those that apps name in their configuration as ``triggers_api_section``,
    then triggers, whose components may refer to rows of these.
    """
    from triggers_api.configuration.triggers import TriggersSection

    names = [getattr(config, "triggers_api_section", None) for config in apps.get_app_configs()]
    return [*[import_string(name)() for name in names if name], TriggersSection()]


def plain(told: Any) -> Any:
    """What a serializer tells, as a reader of the JSON has it."""
    return json.loads(JSONRenderer().render(told))
