"""The Celery application, and what its worker does as a part of the service."""

from __future__ import annotations

import os
import warnings
from typing import Any

from celery import Celery, signals
from celery.platforms import SecurityWarning  # type: ignore[attr-defined]
from kombu.transport import TRANSPORT_ALIASES

from triggers_api.service import lifeline

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "triggers_api.service.settings")

# It warns of the user root because of messages that hold code; ours are JSON.
warnings.filterwarnings("ignore", category=SecurityWarning)

TRANSPORT_ALIASES["filesystem"] = "triggers_api.service.broker:Transport"

app = Celery("triggers")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def keep_logging_of_django(**_: Any) -> None:
    """With a receiver, Celery leaves logging alone."""


@signals.celeryd_init.connect
def on_worker_start(**_: Any) -> None:
    lifeline.end_with_supervisor()


@signals.worker_process_init.connect
def on_pool_process_start(**_: Any) -> None:
    lifeline.end_with(os.getppid())


@signals.worker_ready.connect
def on_worker_ready(**_: Any) -> None:
    lifeline.say_ready()
