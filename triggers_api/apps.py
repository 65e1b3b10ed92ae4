"""The Django app of the HTTP API."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TriggersApiConfig(AppConfig):
    name = "triggers_api"
    label = "triggers_api"
    verbose_name = _("Triggers API")

    def ready(self) -> None:
        from triggers_api import checks

        checks.register()
