"""What can be fired by one name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.text import capfirst


@dataclass(frozen=True)
class EventKind:
    """
    The configured events of a class, or those of them that one name is about.

    Its name is what is fired, recorded as the type of occurrences, waited for, and told by the API.
    """

    name: str
    #: The Event class.
    model: Any
    #: What tells its rows from others of the class: values of fields, by name.
    where: Mapping[str, Any] = field(default_factory=dict)
    context_schema: Mapping[str, Any] | None = None
    title: str = ""
    description: str = ""

    @property
    def in_words(self) -> str:
        """What people call it: by its title, or as its class is called."""
        return self.title or str(capfirst(self.model._meta.verbose_name))
