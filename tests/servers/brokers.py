"""The message brokers that Celery runs on in tests."""

import os
import shutil
from pathlib import Path
from typing import Protocol

from tests.app import celery_app
from tests.app.settings import broker as settings_for
from triggers import engines


class Broker(Protocol):
    """What CELERY_BROKER_URL can name: a server, or a folder. It can go down and come back, empty."""

    @property
    def url(self) -> str: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class FilesystemBroker:
    """Messages are files in a folder; without the folder the broker is down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def url(self) -> str:
        return f"filesystem://{self.folder}"

    def start(self) -> None:
        settings_for(self.url)  # makes the folders

    def stop(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def point_this_process_at(url: str) -> None:
    """Celery publishes to the broker from here on, with new connections."""
    os.environ["CELERY_BROKER_URL"] = url  # Celery reads it, too, and prefers it to its settings
    celery_app.conf.broker_transport_options = settings_for(url)["CELERY_BROKER_TRANSPORT_OPTIONS"]
    # What Celery does after a fork: forgets the connections it holds open.
    celery_app._after_fork()  # type: ignore[attr-defined]
    # And the engine forgets that a broker was away.
    engines.get.cache_clear()
