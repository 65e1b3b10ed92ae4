from django.apps import AppConfig


class VarietyConfig(AppConfig):
    name = "tests.variety"
    label = "variety"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tests.variety import serializers  # noqa: F401 - to register them
