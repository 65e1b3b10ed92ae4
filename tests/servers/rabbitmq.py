"""
A RabbitMQ node on loopback. It is no Python package, so ``make test`` leaves it out:

    apt-get install rabbitmq-server
    pytest -m rabbitmq
"""

import os
import signal
import subprocess
from pathlib import Path

from tests.servers.processes import Port, end, find_binary, spawn
from tests.waiting import wait_until

PACKAGE = "rabbitmq-server (Debian)"
# Not the command on PATH, which becomes another user.
SERVER = Path("/usr/lib/rabbitmq/bin")


class RabbitMQ:
    """A node of its own, with its files in the folder; empty after each `start`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = Port()
        self.log = folder / "rabbitmq.log"
        self._epmd_port, self._distribution_port = Port(), Port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._starts = 0

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port.number}//"

    def start(self) -> None:
        """The node accepts connections."""
        self._starts += 1
        data = self.folder / f"rabbitmq-{self._starts}"
        data.mkdir()
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(data),
            "RUNNING_UNDER_SYSTEMD": "1",  # no shell between this process and the node
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port.number),
            "RABBITMQ_DIST_PORT": str(self._distribution_port.number),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(data / "plugins"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_MNESIA_BASE": str(data),
            "RABBITMQ_NODENAME": f"tests{os.getpid()}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port.number),
            "RABBITMQ_PID_FILE": str(data / "pid"),
        }
        # Started here, for the node would leave its port mapper behind.
        commands = (
            [find_binary("epmd", package=PACKAGE)],
            [find_binary("rabbitmq-server", SERVER, package=PACKAGE)],
        )
        for command in commands:
            self._processes.append(spawn(command, log=self.log, env=env, cwd=data))
        wait_until(
            lambda: self.log.read_text().count("Server startup complete") == self._starts,
            timeout=60,
            message=lambda: f"RabbitMQ:\n{self.log.read_text()}",
        )

    def stop(self) -> None:
        """Connections are refused and everything queued is forgotten."""
        while self._processes:
            end(self._processes.pop(), signal.SIGKILL)
