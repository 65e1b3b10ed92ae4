import os
from datetime import timedelta

from django.apps import AppConfig


class ProbeConfig(AppConfig):
    name = "tests.probe"
    label = "probe"
    verbose_name = "probe"

    def ready(self) -> None:
        from tests.probe import builds, seams

        seams.install()
        builds.install()
        if "PROBE_HEARTBEAT" in os.environ:
            _give_up_the_dead_after(timedelta(seconds=float(os.environ["PROBE_HEARTBEAT"])))


def _give_up_the_dead_after(pause: timedelta) -> None:
    """Temporal takes workers for lost that it has not heard of for so long; else it is ten seconds."""
    from triggers.engines.temporal import activities, worker, workflows

    for module in (activities, worker, workflows):
        setattr(module, "HEARTBEAT", pause)  # noqa: B010 - it is final for all others
