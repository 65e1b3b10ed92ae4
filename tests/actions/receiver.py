"""Another system on loopback: it takes webhooks, and answers as a test wants it to."""

import json
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@dataclass(frozen=True)
class Request:
    """What came in; its signature has been verified."""

    method: str
    path: str
    headers: dict[str, str]
    text: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def body(self) -> Any:
        return json.loads(self.text)


#: Answers a request; the number says how often one with this id has come.
Answer = Callable[["Call", Request, int], None]


class Call(BaseHTTPRequestHandler):
    """One request."""

    receiver: "Receiver"
    protocol_version = "HTTP/1.1"
    timeout = 60

    def take(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        Webhook(SECRET).verify(text, headers)
        request = Request(self.command, self.path, headers, text)
        with self.receiver.lock:
            self.receiver.requests.append(request)
            number = self.receiver.times[request.id] = self.receiver.times[request.id] + 1
        with suppress(ConnectionError, ssl.SSLError):
            self.receiver.answer(self, request, number)

    do_POST = do_PUT = do_PATCH = take

    def say(self, status: int, body: str = "", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body.encode())), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body.encode())

    def drop(self) -> None:
        """The connection breaks without an answer."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def drip(self, *, begin: bytes = b"", seconds: float = 0.1) -> None:
        """Byte by byte, until the other side has had enough."""
        self.wfile.write(begin)
        while not self.receiver.closed.wait(seconds):
            self.wfile.write(b"x")

    def log_message(self, format: str, *args: Any) -> None:
        pass


def accept(call: Call, request: Request, number: int) -> None:
    call.say(200, "thanks")


@dataclass
class Receiver:
    answer: Answer = accept
    host: str = "127.0.0.1"
    requests: list[Request] = field(default_factory=list)
    times: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closed: threading.Event = field(default_factory=threading.Event)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return self.url_at(self.host)

    def url_at(self, host: str) -> str:
        return f"{self.scheme}://{host}:{self.port}/hooks"


@contextmanager
def receiving(answer: Answer = accept, *, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver at work."""
    receiver = Receiver(answer)
    handler = type("Call", (Call,), {"receiver": receiver})
    server = ThreadingHTTPServer((receiver.host, 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda request, client: None  # type: ignore[method-assign,assignment]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        receiver.scheme = "https"
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closed.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Listener:
    """Something on loopback that must not be reached: it counts who connects."""

    def __init__(self) -> None:
        self.count = 0
        self._sockets = [_listening(family, host) for family, host in _LOOPBACK]
        self.port = self._sockets[0].getsockname()[1]

    def close(self) -> int:
        """Who has connected is counted, to the last one."""
        while self._sockets:
            listening = self._sockets.pop()
            listening.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    listening.accept()[0].close()
                    self.count += 1
            listening.close()
        return self.count


_LOOPBACK = [(socket.AF_INET, "0.0.0.0")]


def _listening(family: socket.AddressFamily, host: str) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.bind((host, 0))
    listening.listen(128)
    return listening
