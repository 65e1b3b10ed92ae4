"""A gRPC server that lets nobody in: as much of HTTP/2 as it takes to answer every call with one status."""

import socket
import struct
import threading
from contextlib import suppress

UNAUTHENTICATED = 16

_PREFACE = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
_HEADERS, _SETTINGS, _PING = 1, 4, 6
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1


class Gatekeeper:
    """Listens on loopback from `__enter__` to `__exit__`."""

    def __init__(self, status: int) -> None:
        self._status = status
        self._listener = socket.create_server(("127.0.0.1", 0))

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> "Gatekeeper":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rb") as requests:
            requests.read(_PREFACE)
            connection.sendall(_frame(_SETTINGS))
            while head := requests.read(9):
                length, kind, flags, stream = int.from_bytes(head[:3]), head[3], head[4], int.from_bytes(head[5:])
                payload = requests.read(length)
                if kind in (_SETTINGS, _PING) and not flags & _ACK:
                    connection.sendall(_frame(kind, _ACK, payload=payload if kind == _PING else b""))
                elif kind == _HEADERS:
                    headers = {":status": 200, "content-type": "application/grpc", "grpc-status": self._status}
                    answer = b"".join(_header(name, value) for name, value in headers.items())
                    connection.sendall(_frame(_HEADERS, _END_STREAM | _END_HEADERS, stream, answer))


def _frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _header(name: str, value: object) -> bytes:
    """A header as it stands, without compression."""
    return b"\x00" + b"".join(bytes([len(text)]) + text.encode() for text in (name, str(value)))
