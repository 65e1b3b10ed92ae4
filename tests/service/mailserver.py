"""Mail servers that do not do what they should."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread


@contextmanager
def refusing_recipients() -> Iterator[str]:
    """EMAIL_URL of a server that knows none of the recipients."""
    with ThreadingTCPServer(("127.0.0.1", 0), _Refusal) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"smtp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class _Refusal(StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 hello\r\n")
        for line in self.rfile:
            answer = {b"RCPT": b"550 <ada@example.com> is unknown", b"QUIT": b"221 bye"}.get(line[:4].upper())
            self.wfile.write((answer or b"250 well") + b"\r\n")


class SilentServer:
    """It accepts connections and says nothing: whoever has connected waits until the end of the block."""

    def __enter__(self) -> "SilentServer":
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(20)
        self._connections: list[socket.socket] = []
        self.email_url = f"smtp://127.0.0.1:{self._server.getsockname()[1]}"
        return self

    def wait_for_connection(self) -> None:
        self._connections.append(self._server.accept()[0])

    def __exit__(self, *_: object) -> None:
        for connection in (*self._connections, self._server):
            connection.close()
