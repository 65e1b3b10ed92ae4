"""Fields that name rows of other models: one row, or a list of rows, which are looked up at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.relations import MANY_RELATION_KWARGS

from triggers_api import people
from triggers_api.fields import UserField, whole

#: How many rows one list names at most.
MAX_REFERENCES: Final = 1000


class _Reference(serializers.RelatedField[Any, Any, Any]):
    """A row; a list of them where there are many."""

    @classmethod
    def many_init(cls, *args: Any, **options: Any) -> Any:
        of_list = {name: value for name, value in options.items() if name in MANY_RELATION_KWARGS}
        return ReferenceList(child_relation=cls(*args, **options), **of_list)

    def key(self, data: Any) -> Any:
        """What the row is found by. Raises ValidationError for what no row can be found by."""
        raise NotImplementedError

    def rows(self, keys: Collection[Any]) -> Mapping[Any, Any]:
        """Those rows that there are, by their keys."""
        raise NotImplementedError

    def missing(self, data: Any) -> Any:
        """Raises ValidationError: there is no such row."""
        raise NotImplementedError

    def to_internal_value(self, data: Any) -> Any:
        key = self.key(data)
        found = self.rows([key])
        return found[key] if key in found else self.missing(data)


class ReferenceField(_Reference, serializers.PrimaryKeyRelatedField[Any]):
    """A row of another model, by its primary key."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "does_not_exist": _("There is no {kind} with the key {pk_value}."),
        "incorrect_type": _("Write the key of a {kind}."),
    }

    def key(self, data: Any) -> Any:
        column = self._column
        is_number = isinstance(column, models.IntegerField)
        key = whole(data) if is_number else data
        if key is None or not isinstance(key, int if is_number else str):
            self.fail("incorrect_type", kind=self._kind)
        try:
            return column.to_python(key)
        except (TypeError, ValueError, OverflowError, DjangoValidationError):
            self.fail("incorrect_type", kind=self._kind)

    def rows(self, keys: Collection[Any]) -> Mapping[Any, Any]:
        queryset: Any = self.get_queryset()
        found: Mapping[Any, Any] = queryset.in_bulk([key for key in keys if self._can_exist(key)])
        return found

    def missing(self, data: Any) -> Any:
        self.fail("does_not_exist", kind=self._kind, pk_value=data)

    @property
    def _model(self) -> Any:
        queryset: Any = self.get_queryset()
        return queryset.model

    @property
    def _kind(self) -> Any:
        return self._model._meta.verbose_name

    @property
    def _column(self) -> Any:
        """The primary key; of a row that extends another, that of the other."""
        column = self._model._meta.pk
        while column.remote_field:
            column = column.target_field
        return column

    def _can_exist(self, key: Any) -> bool:
        """Whether the database could have the key: not all of them can be asked for others."""
        try:
            self._column.run_validators(key)
        except DjangoValidationError:
            return False
        return True


class ValueReferenceField(ReferenceField):
    """A row of another model, by the column other than the primary key that the reference holds."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "does_not_exist": _("There is no {kind} called “{pk_value}”."),
        "incorrect_type": _("Name a {kind}."),
    }

    def __init__(self, slug_field: str, **options: Any) -> None:
        self.slug_field = slug_field
        super().__init__(**options)

    def rows(self, keys: Collection[Any]) -> Mapping[Any, Any]:
        queryset: Any = self.get_queryset()
        possible = [key for key in keys if self._can_exist(key)]
        found: Mapping[Any, Any] = queryset.in_bulk(possible, field_name=self.slug_field)
        return found

    @property
    def _column(self) -> Any:
        return self._model._meta.get_field(self.slug_field)


class PersonField(_Reference):
    """A user, by the name that the API has for users."""

    default_error_messages: ClassVar[dict[str, Any]] = {"does_not_exist": _("There is no user called “{name}”.")}

    def key(self, data: Any) -> Any:
        return UserField().run_validation(data)

    def rows(self, keys: Collection[Any]) -> Mapping[Any, Any]:
        return people.found(keys)

    def missing(self, data: Any) -> Any:
        self.fail("does_not_exist", name=data)

    def to_representation(self, value: Any) -> str:
        return people.name(value)


class ReferenceList(serializers.ManyRelatedField):
    """Rows of another model."""

    child_relation: _Reference
    max_length: ClassVar[int] = MAX_REFERENCES

    default_error_messages: ClassVar[dict[str, Any]] = {
        "max_length": _("Ensure this field has no more than {max_length} elements."),
    }

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        if not (data or self.allow_empty):
            self.fail("empty")
        if len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        errors: dict[int, Any] = {}
        keys = [self._tried(errors, index, self.child_relation.key, item) for index, item in enumerate(data)]
        rows = self.child_relation.rows({key for index, key in enumerate(keys) if index not in errors})
        for index, key in enumerate(keys):
            if index not in errors and key not in rows:
                self._tried(errors, index, self.child_relation.missing, data[index])
        if errors:
            raise serializers.ValidationError(errors)  # type: ignore[arg-type]  # by index, as lists have them
        return [rows[key] for key in keys]

    @staticmethod
    def _tried(errors: dict[int, Any], index: int, try_: Any, item: Any) -> Any:
        try:
            return try_(item)
        except serializers.ValidationError as error:
            errors[index] = error.detail
