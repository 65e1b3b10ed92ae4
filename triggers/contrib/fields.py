"""Text of a language, checked when it is validated: what the fields for expressions and templates have in common."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models

from triggers.contrib.variables import NAMES

if TYPE_CHECKING:
    TextField = models.TextField[str, str]
else:
    TextField = models.TextField


class CheckedTextField(TextField):
    """A text that may read the variables of some names, and is refused when it cannot be used."""

    #: The longest text.
    longest: ClassVar[int]
    #: Called with the text and the names; raises ValidationError.
    check_text: ClassVar[Callable[..., None]]

    def __init__(self, *args: Any, names: Collection[str] = NAMES, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", self.longest)
        super().__init__(*args, **kwargs)
        self.names = tuple(names)

    @cached_property
    def validators(self) -> list[Callable[..., None]]:
        return [*super().validators, partial(type(self).check_text, names=self.names)]

    def deconstruct(self) -> Any:
        """As a text: what may be written into it is no matter of the database."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.TextField", args, kwargs
