"""The engines that acceptance tests run on."""

from dataclasses import dataclass

from tests.servers.brokers import Broker
from tests.servers.temporal import Temporal


@dataclass(frozen=True)
class EngineAtWork:
    """An engine, and the server that stands between those who fire and its workers."""

    name: str
    server: Broker | Temporal
    #: What kind of pool Celery's workers have.
    pool: str = ""
