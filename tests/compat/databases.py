"""Databases of other projects: made on the test run's own server, and read without anybody's models."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from tests.servers.postgresql import PostgreSQL

_numbers = count(1)

Row = dict[str, Any]


@dataclass(frozen=True)
class Database:
    """An empty database to begin with."""

    url: str

    @classmethod
    def on_sqlite(cls, folder: Path) -> Database:
        path = folder / f"database{next(_numbers)}.sqlite3"
        sqlite3.connect(path).close()
        return cls(f"sqlite://{path}")

    @classmethod
    def on_postgresql(cls, server: PostgreSQL) -> Database:
        name = f"project{next(_numbers)}"
        address = server.url.rpartition("/")[0]
        with closing(psycopg.connect(f"{address}/postgres", autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return cls(f"{address}/{name}")

    @contextmanager
    def connected(self) -> Iterator[BaseDatabaseWrapper]:
        parts = urlsplit(self.url)
        if parts.scheme == "sqlite":
            settings: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path}
        else:
            settings = {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": parts.path[1:],
                "USER": parts.username,
                "HOST": parts.hostname,
                "PORT": parts.port,
            }
        connection = ConnectionHandler({"default": settings})["default"]
        try:
            yield connection
        finally:
            connection.close()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connected() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def rows(self) -> dict[str, list[Row]]:
        """Every row of every table, in the order of the first column."""
        found = {}
        with self.connected() as connection, connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
                columns = [column.name if hasattr(column, "name") else column[0] for column in cursor.description]
                rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
                found[table] = sorted(rows, key=lambda row: str(next(iter(row.values()))))
        return found

    def schema(self, *, names: bool) -> dict[str, tuple[Any, Any]]:
        """The columns and constraints of the tables of triggers and its users, with the constraints' names or not."""
        found = {}
        with self.connected() as connection, connection.cursor() as cursor:
            inspect = connection.introspection
            for table in inspect.table_names(cursor):
                if not table.startswith(("triggers_", "todo_")):
                    continue
                columns = sorted(
                    (column.name, inspect.get_field_type(column.type_code, column), column.null_ok)
                    for column in inspect.get_table_description(cursor, table)
                )
                constraints = sorted(
                    (name if names else "", str(sorted(constraint.items(), key=str)))
                    for name, constraint in inspect.get_constraints(cursor, table).items()
                )
                found[table] = (columns, constraints)
        return found
