from django.apps import AppConfig


class ProbeConfig(AppConfig):
    name = "tests.probe"
    label = "probe"
    verbose_name = "probe"

    def ready(self) -> None:
        from tests.probe import seams

        seams.install()
