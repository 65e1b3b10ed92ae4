"""
This process's connection to the Temporal server: one client on a thread of its own, made when it is first used.

Code of any kind may call it: threads, event loops, processes that were forked after it was used.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RetryConfig, RPCError, RPCStatusCode

from triggers import conf

T = TypeVar("T")

_DEFAULT_HOST: Final = "localhost:7233"
_DEFAULT_NAMESPACE: Final = "triggers"


def options() -> dict[str, Any]:
    """
    What ``Client.connect`` is given: the SDK's environment variables and profile (TLS, API key), and over them this
    project's settings.

    Raises RuntimeError or ValueError when the environment or the profile is faulty.
    """
    found: dict[str, Any] = {**ClientConfig.load_client_connect_config()}
    found["target_host"] = conf.temporal_host() or found.get("target_host") or _DEFAULT_HOST
    found["namespace"] = conf.temporal_namespace() or found.get("namespace") or _DEFAULT_NAMESPACE
    return found


def error_name(error: BaseException) -> str:
    """What kind of error it is, for logs."""
    return error.status.name if isinstance(error, RPCError) else type(error).__name__


def explain(error: BaseException) -> str:
    """What the error means, and what to do, for whoever set this process up."""
    try:
        given = options()
    except Exception as fault:
        return f"What the environment says of Temporal cannot be used: {fault}"
    host, namespace = given["target_host"], given["namespace"]
    match error.status if isinstance(error, RPCError) else None:
        case RPCStatusCode.NOT_FOUND:
            return (
                f"The Temporal server at {host} has no namespace “{namespace}”. Make it "
                f"(temporal operator namespace create --namespace {namespace}), or name another in TEMPORAL_NAMESPACE."
            )
        case RPCStatusCode.UNAUTHENTICATED | RPCStatusCode.PERMISSION_DENIED:
            return (
                f"The Temporal server at {host} does not let this process in ({error_name(error)}). Check "
                f"TEMPORAL_API_KEY or the client certificate, and that they are for the namespace “{namespace}”."
            )
    return f"No Temporal server answers at {host} ({error_name(error)}). Is it running, and is TEMPORAL_HOST right?"


class Connection:
    """A client, not connected before it is used, and the event loop that it is used on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Client | None = None

    def call(self, ask: Callable[[Client], Awaitable[T]], seconds: float) -> T:
        """
        What the server answers within that time.

        Raises TimeoutError, or what the client raises: RPCError, and RuntimeError where there is no connection.
        """

        async def answer() -> T:
            if self._client is None:
                self._client = await Client.connect(
                    **options(),
                    lazy=True,
                    # A runtime of this process's own: the default one does not survive a fork.
                    runtime=Runtime(telemetry=TelemetryConfig()),
                    # The default goes on for ten seconds.
                    retry_config=RetryConfig(max_retries=3, max_elapsed_time_millis=1500),
                )
            return await asyncio.wait_for(ask(self._client), seconds)

        return asyncio.run_coroutine_threadsafe(answer(), self._running_loop()).result(seconds + 0.5)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="triggers-temporal", daemon=True).start()
                # Some processes crash when they end while a thread of the SDK is at work: it needs a moment.
                atexit.register(time.sleep, 0.1)
            return self._loop


def connection() -> Connection:
    """The connection of this process."""
    return _connections[-1]


# A child process has a connection of its own. It keeps its parent's, unused: freeing it there would hang.
_connections: Final = [Connection()]
os.register_at_fork(after_in_child=lambda: _connections.append(Connection()))


def forget() -> None:
    """Connect anew when next asked: the settings have changed."""
    _connections.append(Connection())
