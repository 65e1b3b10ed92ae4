from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EventTypesConfig(AppConfig):
    name = "triggers_api.event_types"
    label = "triggers_event_types"
    verbose_name = _("Event types over HTTP")
    #: The API has these paths too.
    triggers_api_urls = "triggers_api.event_types.urls"
    #: Configurations have this section too.
    triggers_api_section = "triggers_api.event_types.section.EventTypesSection"
