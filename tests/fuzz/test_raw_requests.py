"""Requests that no client makes, byte by byte: what reaches the API is answered by it, and never by a failure."""

import json
import socket
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Any

import pytest

from tests.servers.web import Web

pytestmark = pytest.mark.postgresql

SIZE = 2**20


class Answer:
    """What came back, whoever sent it."""

    def __init__(self, connection: socket.socket) -> None:
        response = HTTPResponse(connection)
        response.begin()
        self.status = response.status
        self.content_type = response.headers.get("Content-Type")
        self.body = response.read()

    @property
    def code(self) -> Any:
        """The code of the problem that it is; None if it is none."""
        return json.loads(self.body)["code"] if self.content_type == "application/problem+json" else None


class Wire:
    """Sends bytes as they are, but for the credentials in the place of TOKEN."""

    def __init__(self, web: Web, token: str) -> None:
        self._address = ("127.0.0.1", web.port)
        self._token = token.encode()

    def send(self, data: bytes, *, and_no_more: bool = False) -> Answer:
        with socket.create_connection(self._address, timeout=30) as connection:
            connection.sendall(data.replace(b"TOKEN", self._token))
            if and_no_more:
                connection.shutdown(socket.SHUT_WR)
            return Answer(connection)


@pytest.fixture
def wire(web: Web, env: Mapping[str, str]) -> Wire:
    return Wire(web, env["FUZZ_TOKEN"])


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    head = (line, b"Host: localhost", b"Connection: close", b"Authorization: Token TOKEN", *headers)
    return b"\r\n".join(head) + b"\r\n\r\n" + body


JSON = b"Content-Type: application/json"
FIRE = b"POST /api/v1/fire/ HTTP/1.1"
RUNS = b"GET /api/v1/runs/ HTTP/1.1"
CHUNKED = b"Transfer-Encoding: chunked"
CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"

#: What is sent, and with which status and code it is answered; no code where it is not refused.
REQUESTS: dict[str, tuple[bytes, int, str | None]] = {
    "a body in chunks": (request(FIRE, JSON, CHUNKED, body=CHUNKS), 411, "length_required"),
    "no body in chunks": (request(FIRE, JSON, CHUNKED, body=b"0\r\n\r\n"), 411, "length_required"),
    "a body in chunks where none is taken": (request(RUNS, CHUNKED, body=CHUNKS), 411, "length_required"),
    "a body where none is taken": (request(RUNS, JSON, b"Content-Length: 2", body=b"{}"), 200, None),
    "a body after its announcement": (
        request(FIRE, JSON, b"Content-Length: 2", b"Expect: 100-continue", body=b"{}"),
        400,
        "body_invalid",
    ),
    "no length": (request(FIRE, JSON, body=b"{}"), 400, "body_invalid"),
    "a body of another encoding": (
        request(FIRE, JSON, b"Content-Encoding: gzip", b"Content-Length: 3", body=b"\x1f\x8b\x08"),
        400,
        "json_malformed",
    ),
    "HTTP/1.0": (request(b"GET /api/v1/runs/ HTTP/1.0"), 200, None),
    "the whole URL": (request(b"GET http://localhost/api/v1/runs/ HTTP/1.1"), 200, None),
    "a path that goes up": (request(b"GET /api/v1/../v1/runs/ HTTP/1.1"), 404, "not_found"),
    "two slashes": (request(b"GET /api/v1//runs/ HTTP/1.1"), 404, "not_found"),
    "a method of their own": (request(b"FIRE /api/v1/fire/ HTTP/1.1"), 405, "method_not_allowed"),
    "a header twice": (
        request(FIRE, JSON, b"Idempotency-Key: a", b"Idempotency-Key: b", b"Content-Length: 2", body=b"{}"),
        400,
        "body_invalid",
    ),
    "octets in a header": (
        request(FIRE, JSON, b"Idempotency-Key: \xff", b"Content-Length: 2", body=b"{}"),
        400,
        "body_invalid",
    ),
    "credentials of octets": (
        b"GET /api/v1/runs/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Token \xff\r\n\r\n",
        401,
        "authentication_failed",
    ),
    "credentials in two headers": (request(RUNS, b"Authorization: Token 0"), 401, "authentication_failed"),
    "a cookie of octets": (request(RUNS, b"Cookie: sessionid=\xff; csrftoken=\x80"), 200, None),
    "a long query": (request(b"GET /api/v1/runs/?type=" + b"a" * 60_000 + b" HTTP/1.1"), 200, None),
    "a body over 1 MiB": (
        request(FIRE, JSON, b"Content-Length: %d" % (SIZE + 1), body=b" " * (SIZE + 1)),
        413,
        "body_too_large",
    ),
}


def test_what_reaches_the_api_is_answered_by_it(wire: Wire) -> None:
    wrong = {}
    for what, (data, status, code) in REQUESTS.items():
        answer = wire.send(data)
        if (answer.status, answer.code) != (status, code):
            wrong[what] = (answer.status, answer.code, answer.body)

    assert not wrong


def test_a_body_that_ends_early_is_refused(wire: Wire) -> None:
    answer = wire.send(request(FIRE, JSON, b"Content-Length: 10", body=b'{"type'), and_no_more=True)

    assert (answer.status, answer.code) == (400, "json_malformed")
