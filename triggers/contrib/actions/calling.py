"""
One HTTP request to an address that was looked up and checked before, and nowhere else: no redirects, no proxies.

All of it, looking up the name and connecting included, is over by one deadline, however slowly the other side reads or
answers.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPConnection, HTTPException
from threading import Timer
from time import monotonic
from typing import Final

from triggers.contrib.actions.addresses import HostUnknown, Target

#: How long a call may take, in seconds.
LONGEST: Final = 15.0
#: How much of an answer is read, in bytes.
MOST: Final = 64 * 1024


class CallFailed(Exception):
    """Nothing was answered. The message says why."""


@dataclass(frozen=True)
class Answer:
    """What was answered: the status, how long to wait before the next call, and the body as far as it was read."""

    status: int
    retry_after: str
    body: bytes


def call(method: str, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
    """
    Send the request and return the answer, whatever its status.

    Of a long answer the beginning is read, of a slow one what comes in time. Raises AddressForbidden before anything is
    sent, and CallFailed.
    """
    deadline = monotonic() + LONGEST
    try:
        sock = _connected(target, deadline)
    except HostUnknown:
        raise CallFailed(f"{target.host} was not found.") from None
    try:
        with sock, _cut(sock, deadline):
            return _exchange(sock, method, target, headers, body)
    except (HTTPException, OSError) as error:
        if monotonic() >= deadline:
            raise CallFailed(f"{target.host} did not answer within {LONGEST:g} seconds.") from error
        raise CallFailed(f"{target.host} did not answer: {_reason(error)}.") from error


def _connected(target: Target, deadline: float) -> socket.socket:
    """A connection to the first of the host's addresses that takes one; with HTTPS, the host has proved its name."""
    _scheme, _host, port = target.origin
    reason = "no address"
    addresses = target.addresses(deadline - monotonic())
    for number, address in enumerate(addresses):
        share = _left(deadline) / (len(addresses) - number)
        with ExitStack() as failing:
            try:
                sock = socket.create_connection((str(address), port), share)
                failing.callback(sock.close)
                if target.scheme == "https":
                    sock.settimeout(_left(deadline))
                    sock = _tls().wrap_socket(sock, server_hostname=target.host)
            except OSError as error:
                reason = _reason(error)
            else:
                failing.pop_all()
                return sock
    raise CallFailed(f"{target.host} could not be reached: {reason}.")


def _left(deadline: float) -> float:
    return max(0.001, deadline - monotonic())


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@contextmanager
def _cut(sock: socket.socket, deadline: float) -> Iterator[None]:
    """At the deadline the connection is cut: a timeout of the socket concerns a single read, and bytes may drip."""
    sock.settimeout(_left(deadline))
    timer = Timer(_left(deadline), _shut, (sock,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not TLS's own, which takes its state away from who reads


def _exchange(sock: socket.socket, method: str, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
    connection = HTTPConnection(target.host)
    connection.sock = sock
    headers = {"Host": target.netloc, "Accept-Encoding": "identity", **headers}
    connection.request(method, target.path, body, headers)
    response = connection.getresponse()
    read = bytearray()
    with suppress(HTTPException, OSError):  # the status is known, and what counts
        while len(read) < MOST and (part := response.read1(MOST - len(read))):
            read += part
    return Answer(response.status, response.headers.get("Retry-After", ""), bytes(read))


def _reason(error: Exception) -> str:
    """The system's words for it; of others, whose messages may be the other side's, the class alone."""
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
