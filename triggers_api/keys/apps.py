from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class KeysConfig(AppConfig):
    name = "triggers_api.keys"
    label = "triggers_keys"
    verbose_name = _("API keys")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from triggers_api.keys import (
            checks,
            schema,  # noqa: F401 - being imported is how drf-spectacular finds it
        )

        checks.register()
