"""A database that is away."""

from django.db import connection


class DownDatabase:
    """The database's address leads nowhere."""

    def __enter__(self) -> None:
        self.settings = dict(connection.settings_dict)
        wrong = {"NAME": "/nowhere/db.sqlite3"} if connection.vendor == "sqlite" else {"PORT": "1"}
        connection.close()
        connection.settings_dict |= wrong

    def __exit__(self, *args: object) -> None:
        connection.close()
        connection.settings_dict |= self.settings
