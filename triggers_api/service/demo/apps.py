from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "triggers_api.service.demo"
    label = "demo"
    verbose_name = "demo"
    default_auto_field = "django.db.models.BigAutoField"
