"""The database and its clock, the one clock that all workers share."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from django.db import connections, router


def alias() -> str:
    """The database alias on which all tables of this app live."""
    from triggers.models import Run

    return router.db_for_write(Run)


class Clock:
    """The time of the database, read once and carried on by this machine's monotonic clock."""

    def __init__(self, using: str) -> None:
        with connections[using].cursor() as cursor:
            cursor.execute(_NOW.get(connections[using].vendor, "SELECT CURRENT_TIMESTAMP"))
            (value,) = cursor.fetchone()
        self._elapsed_from = time.monotonic()
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        self._base = moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def now(self) -> datetime:
        return self._base + timedelta(seconds=time.monotonic() - self._elapsed_from)


# CURRENT_TIMESTAMP is the start of the transaction in PostgreSQL and whole seconds in SQLite.
_NOW = {
    "postgresql": "SELECT CLOCK_TIMESTAMP()",
    "sqlite": "SELECT STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')",
}
