from django.apps import AppConfig


class ServiceConfig(AppConfig):
    name = "triggers_api.service"
    label = "service"

    def ready(self) -> None:
        # Every process of the service publishes to its broker: web server, worker and `triggers manage`.
        import triggers_api.service.celery  # noqa: F401
