"""A client that sends requests by several connections at once, and notes how long each takes."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Load:
    """The seconds that all took together, and each by itself, the shortest first."""

    seconds: float
    each: list[float]

    @property
    def per_second(self) -> float:
        return len(self.each) / self.seconds

    def percentile(self, share: float) -> float:
        return self.each[min(len(self.each) - 1, int(share * len(self.each)))]


def post(
    url: str, number: int, connections: int, request: Callable[[int], tuple[str, dict[str, str]]], status: int
) -> Load:
    """Each connection sends its share, one request after the other, made by ``request`` of its number."""
    address = urlsplit(url)
    each: list[float] = []
    failures: list[str] = []

    def send(first: int) -> None:
        connection = http.client.HTTPConnection(address.netloc)
        for index in range(first, number, connections):
            body, headers = request(index)
            began = time.perf_counter()
            connection.request("POST", address.path, body, headers)
            response = connection.getresponse()
            answer = response.read()
            each.append(time.perf_counter() - began)
            if response.status != status:
                failures.append(f"{response.status}: {answer[:500]!r}")
                return
        connection.close()

    threads = [threading.Thread(target=send, args=(first,)) for first in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"{url} answered {failures[0]}")
    return Load(time.perf_counter() - began, sorted(each))
