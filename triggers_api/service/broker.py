"""
Kombu's filesystem transport, with messages that appear and are taken in one step each.

Kombu makes a message's file before it writes into it, so that a worker may take a message that is empty still, on
which it ends; and it moves messages through the system's temporary folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    """Messages are files named ``time_id.queue.msg``; their order is that of their times."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for folder in (self.data_folder_in, self.data_folder_out, self.control_folder):
            Path(folder).mkdir(parents=True, exist_ok=True)

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        name = f"{time_ns()}_{uuid4()}.{queue}"
        draft = Path(self.data_folder_out, f"{name}.new")
        draft.write_text(dumps(payload))
        draft.rename(draft.with_suffix(".msg"))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        names = [name for name in os.listdir(folder) if name.partition(".")[2] == f"{queue}.msg"]
        for name in sorted(names):
            taken = (folder / name).with_suffix(".taken")
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:
                continue  # another worker was faster
            message = loads(taken.read_text())
            taken.unlink()
            return message
        raise Empty


class Transport(filesystem.Transport):
    """As Kombu's, but it does not keep a worker waiting that is told to stop."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:  # type: ignore[override]
        # Celery asks with two seconds, and between two calls looks whether it is to stop.
        super().drain_events(connection, timeout=timeout and min(timeout, 0.5))
