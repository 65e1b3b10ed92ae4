"""
Statements of one table, written out: for what is done at every firing and at every run.

Django makes a query anew each time it is asked, which takes several times as long as PostgreSQL takes to answer one of
these. Whatever is asked less often, or in more words, is a queryset. No signals are sent, as by Django's bulk methods.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model, QuerySet
from django.db.models.sql.compiler import SQLCompiler

Row = TypeVar("Row", bound=Model)

#: Of fields, by name: a value, None, or a collection of values of which the field has one.
Where = Mapping[str, Any]


def select(
    model: type[Row], using: str, where: Where | None = None, *, related: str = "", first: int | None = None
) -> list[Row]:
    """
    The rows that are so, in no order, as instances; with those of the foreign key ``related``.

    Or so many of them, the ``first`` by primary key.
    """
    sql, instances = _made(model, using, related)
    end = "" if first is None else f" ORDER BY {_column(connections[using], model._meta.pk)} LIMIT {first}"
    return instances(_fetch(using, sql, model, where or {}, end))


def distinct(model: type[Model], using: str, name: str, where: Where) -> set[Any]:
    """The values of a field in the rows that are so."""
    field = _field(model, name)
    table, column = _quoted(connections[using], model._meta.db_table, field.column)
    found = _fetch(using, f"SELECT DISTINCT {column} FROM {table}", model, where)
    return {field.to_python(value) for (value,) in found}


def insert(instances: Sequence[Model], using: str) -> None:
    """The instances, of one class, are rows of its table. Keys that the database makes are not read back."""
    if not instances:
        return
    connection = connections[using]
    fields = [field for field in instances[0]._meta.local_concrete_fields if field is not instances[0]._meta.auto_field]
    table, *columns = _quoted(connection, instances[0]._meta.db_table, *(field.column for field in fields))
    marks = f"({', '.join(['%s'] * len(fields))})"
    size = connection.ops.bulk_batch_size(fields, instances)
    with connection.cursor() as cursor:
        for begin in range(0, len(instances), size):
            batch = instances[begin : begin + size]
            cursor.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([marks] * len(batch))}",
                [
                    field.get_db_prep_save(field.pre_save(instance, add=True), connection)
                    for instance in batch
                    for field in fields
                ],
            )
    for instance in instances:
        instance._state.adding = False
        instance._state.db = using


def update(model: type[Model], using: str, where: Where, values: Mapping[str, Any]) -> int:
    """The fields have these values in the rows that are so; how many those are."""
    connection = connections[using]
    fields = {_field(model, name): value for name, value in values.items()}
    table, *columns = _quoted(connection, model._meta.db_table, *(field.column for field in fields))
    condition, parameters = _condition(model, using, where)
    written = [field.get_db_prep_save(value, connection) for field, value in fields.items()]
    with connection.cursor() as cursor:
        changes = ", ".join(f"{column} = %s" for column in columns)
        cursor.execute(f"UPDATE {table} SET {changes}{condition}", [*written, *parameters])
        return int(cursor.rowcount)


@cache
def _made(model: type[Row], using: str, related: str) -> tuple[str, Callable[[list[Any]], list[Row]]]:
    """The query of all rows, as Django makes it, and what makes instances of what is fetched."""
    rows: QuerySet[Row] = QuerySet(model=model, using=using).order_by()
    made = (rows.select_related(related) if related else rows).query.get_compiler(using)
    sql, _ = made.as_sql()
    made.connection = None  # it is one thread's
    make = _maker(made, made.klass_info, using)
    make_related = _maker(made, made.klass_info["related_klass_infos"][0], using) if related else None

    def instances(found: list[Any]) -> list[Row]:
        compiler = copy.copy(made)
        compiler.connection = connections[using]
        converters = compiler.get_converters([expression for expression, *_ in compiler.select])
        answer: list[Row] = []
        for row in compiler.apply_converters(found, converters) if converters else found:
            answer.append(make(row))
            if make_related is not None:
                setattr(answer[-1], related, make_related(row))
        return answer

    return sql, instances


def _maker(made: SQLCompiler, info: Any, using: str) -> Callable[[Sequence[Any]], Any]:
    """What makes an instance of its part of a row."""
    indexes = info["select_fields"]
    names = [made.select[index][0].target.attname for index in indexes]
    return lambda row: info["model"].from_db(using, names, [row[index] for index in indexes])


def _fetch(using: str, sql: str, model: type[Model], where: Where, end: str = "") -> list[Any]:
    condition, parameters = _condition(model, using, where)
    with connections[using].cursor() as cursor:
        cursor.execute(sql + condition + end, parameters)
        return list(cursor.fetchall())


def _condition(model: type[Model], using: str, where: Where) -> tuple[str, list[Any]]:
    """A WHERE clause, if there is one, and its parameters."""
    connection = connections[using]
    parts: list[str] = []
    parameters: list[Any] = []
    for name, value in where.items():
        field = _field(model, name)
        column = _column(connection, field)
        if value is None:
            parts.append(f"{column} IS NULL")
            continue
        values = value if isinstance(value, Collection) and not isinstance(value, str) else [value]
        parameters += [field.get_db_prep_value(each, connection) for each in values]
        # An empty list is no SQL.
        parts.append(f"{column} IN ({', '.join(['%s'] * len(values)) or 'NULL'})")
    return f" WHERE {' AND '.join(parts)}" if parts else "", parameters


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    """The field, by its name or by that of the attribute which holds its value."""
    return cast("Field[Any, Any]", model._meta.get_field(name))


def _column(connection: BaseDatabaseWrapper, field: Field[Any, Any]) -> str:
    return ".".join(_quoted(connection, field.model._meta.db_table, field.column))


def _quoted(connection: BaseDatabaseWrapper, *names: str | None) -> list[str]:
    return [connection.ops.quote_name(str(name)) for name in names]
