from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    name = "triggers_api.service.people"
    label = "people"
    verbose_name = _("People")
    default_auto_field = "django.db.models.BigAutoField"
    #: The API has these paths too.
    triggers_api_urls = "triggers_api.service.people.urls"
