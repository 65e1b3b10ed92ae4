"""
This process's connection to the Temporal server: one client on a thread of its own, made when it is first used.

Code of any kind may call it: threads, event loops, processes that were forked after it was used.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import logging
import os
import re
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RetryConfig, RPCError, RPCStatusCode

from triggers import conf

logger = logging.getLogger(__name__)

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


def status_of(error: BaseException) -> RPCStatusCode:
    """What the server said, or UNAVAILABLE for all that kept it from saying anything."""
    if isinstance(error, RPCError):
        return error.status
    # The first call of a client tells of the server's answer in words only.
    said = re.search(r"code: (Unauthenticated|PermissionDenied)", str(error))
    return _REFUSALS[said[1]] if said else RPCStatusCode.UNAVAILABLE


_REFUSALS: Final = {
    "Unauthenticated": RPCStatusCode.UNAUTHENTICATED,
    "PermissionDenied": RPCStatusCode.PERMISSION_DENIED,
}


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
            return self._loop


def connection() -> Connection:
    """The connection of this process."""
    return _connections[-1]


def is_reachable() -> bool:
    """Whether the server answers."""

    async def ask(client: Client) -> None:
        await client.workflow_service.get_system_info(GetSystemInfoRequest())

    try:
        connection().call(ask, 2.0)
    except Exception as error:
        logger.warning("Temporal cannot be reached (%s)", status_of(error).name)
        return False
    return True


def forget() -> None:
    """Connect anew when next asked: the settings have changed."""
    _connections.append(Connection())


def _after_fork() -> None:
    """A child process has a connection of its own. It never frees its parent's, even at its end: that would hang."""
    for inherited in _connections:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))
    forget()


# Without a moment for the SDK's threads to come to rest, one process in six crashes at its end.
atexit.register(time.sleep, 0.1)

_connections: Final = [Connection()]
os.register_at_fork(after_in_child=_after_fork)
