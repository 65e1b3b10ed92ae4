from django.apps import AppConfig


class ProbeConfig(AppConfig):
    name = "tests.probe"
    label = "probe"
    verbose_name = "probe"

    def ready(self) -> None:
        from tests.probe import builds, seams

        seams.install()
        builds.install()
