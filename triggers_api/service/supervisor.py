"""
Keeps the web server and the worker running, as child processes, until it is told to stop.

A child that ends before it is ready ends everything: its own last words say why. One that ends later is started
again, after a pause that grows while it keeps on ending.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import FileIO
from typing import Any, Final

from triggers_api.service import lifeline
from triggers_api.service.refusal import Refused

START_SECONDS: Final = 60.0
#: For requests and actions under way; what takes longer is cut off, and the next start sees to it again.
STOP_SECONDS: Final = 25.0
#: A child that has run for so long was well: if it ends, the pause is short again.
WELL_AFTER_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1


class Child:
    """A process that is started, and started again. It inherits the file descriptors that are given with it."""

    def __init__(self, name: str, command: Sequence[str], descriptors: Sequence[int]) -> None:
        self.name = name
        self._command = command
        self._descriptors = descriptors
        self._endings = 0
        self._next_start = 0.0

    def start(self) -> None:
        mine, ready = os.pipe()
        os.set_blocking(mine, False)
        self._ready = FileIO(mine)
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                lifeline.SUPERVISOR: str(os.getpid()),
                lifeline.READY: str(ready),
            },
            pass_fds=(*self._descriptors, ready),
            # A session of its own: Ctrl-C in the terminal is for the supervisor alone, who then stops its children.
            start_new_session=True,
        )
        os.close(ready)
        self._started = time.monotonic()

    @property
    def is_ready(self) -> bool:
        """Whether it has said so since this was asked last."""
        return bool(self._ready.read(16))

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def keep_running(self) -> None:
        """Start it again if it has ended, and the pause is over."""
        if self._next_start:
            if time.monotonic() >= self._next_start:
                self._next_start = 0.0
                self.start()
            return
        if self.exit_code is None:
            return
        self._clear_away()
        if time.monotonic() - self._started > WELL_AFTER_SECONDS:
            self._endings = 0
        pause = 2 ** min(self._endings, 6)
        self._endings += 1
        self._next_start = time.monotonic() + pause
        say(f"The {self.name} ended with code {self.exit_code}; starting it again in {pause} s.")

    def ask_to_end(self) -> None:
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """It has ended, and whatever it left of its own children."""
        if self._next_start:
            return
        if self.exit_code is None:
            say(f"The {self.name} has not ended: it is cut off. The next start finishes what it was doing.")
        self._clear_away()

    def _clear_away(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._ready.close()


class Supervisor:
    """Runs the children until SIGINT, SIGTERM or SIGHUP; a second one cuts them off."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = children
        self._signals = 0

    def run(self, *, when_ready: Callable[[], None], when_stopping: Callable[[], None]) -> None:
        """
        Return once it was told to stop and the children have ended.

        Refuses when a child ends, or is silent for too long, before it is ready.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN):  # which nohup asks for
                signal.signal(number, self._on_signal)
        started: list[Child] = []
        try:
            for child in self._children:
                child.start()
                started.append(child)
            self._await_ready()
            if not self._signals:
                when_ready()
            while not self._signals:
                for child in self._children:
                    child.keep_running()
                time.sleep(_POLL_SECONDS)
        finally:
            when_stopping()
            self._stop(started)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        missing = list(self._children)
        while missing and not self._signals:
            for child in missing.copy():
                exit_code = child.exit_code
                if child.is_ready:
                    missing.remove(child)
                elif exit_code is not None:
                    raise Refused(
                        f"The {child.name} ended with code {exit_code} before it was ready. "
                        "Its messages, above, say why."
                    )
            if time.monotonic() > deadline:
                names = " and the ".join(child.name for child in missing)
                raise Refused(f"The {names} did not become ready within {START_SECONDS:g} s.")
            time.sleep(_POLL_SECONDS)

    def _stop(self, children: Sequence[Child]) -> None:
        signals = self._signals
        if signals:
            say("\nStopping: what is under way is finished first. Ctrl-C again cuts it off.")
        for child in children:
            child.ask_to_end()
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.exit_code is None for child in children):
            if time.monotonic() > deadline or self._signals > signals:
                break
            time.sleep(_POLL_SECONDS)
        for child in children:
            child.end()

    def _on_signal(self, _number: int, _frame: Any) -> None:
        self._signals += 1


def say(text: str) -> None:
    print(text, flush=True)
