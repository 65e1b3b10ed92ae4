"""Child processes that end with the test run, however it ends, and the ports they listen on."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1


class Port:
    """
    A free loopback port that stays ours until this process ends.

    The socket is bound but never listens, so a server may listen on the port, stop and listen
    again, while nobody else is given it in between.
    """

    def __init__(self) -> None:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", 0))
        self.number: int = bound.getsockname()[1]
        bound.detach()  # stays open


def accepts_connections(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def find_binary(name: str, *folders: Path | None, package: str) -> Path:
    """Return the binary in the first folder that has it, else from PATH, else fail naming the package."""
    for folder in folders:
        if folder is not None and (folder / name).is_file():
            return folder / name
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is neither installed from the Python package {package} nor on PATH")
    return Path(found)


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: int | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """
    Start the command in a session of its own, its output appended to the log.

    The kernel sends it ``death_signal`` when this process dies (Linux only; elsewhere it is left
    to the fixtures to stop what they started).
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            user=user,
            start_new_session=True,
            preexec_fn=die_with_parent(death_signal) if sys.platform == "linux" else None,
        )


def die_with_parent(death_signal: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """Return what the child does first; the library is loaded here, not after the fork."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:
            os.kill(os.getpid(), death_signal)

    return prepare


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send the signal to the process and all its children; nothing happens when they are gone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def end(process: subprocess.Popen[bytes], number: signal.Signals, *, timeout: float = 20) -> None:
    """Ask the process to end with the signal; kill its whole group when it has not after ``timeout``."""
    if process.poll() is None:
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
    signal_group(process, signal.SIGKILL)
    process.wait()
