from typing import Any

ON_PEOPLE = {"auth", "contenttypes", "triggers", "notes"}


class Router:
    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "people" if model._meta.app_label in ON_PEOPLE else "default"

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == ("people" if app_label in ON_PEOPLE else "default")
