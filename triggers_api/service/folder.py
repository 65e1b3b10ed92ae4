"""The data folder: whose it is, and the secrets kept in it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from triggers_api.service.refusal import Refused

LOCK: Final = "lock"
#: How long a folder may still be in use by processes whose supervisor was killed: they are about to end.
PATIENCE_SECONDS: Final = 3.0


def make(folder: Path) -> None:
    """The folder exists; only its owner may look into it, if it is new."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"Cannot make the data folder {folder}: {error.strerror}. Name another: --data") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(f"Cannot write to the data folder {folder}. Name another: --data")


def lock(folder: Path, *, exclusive: bool) -> int:
    """
    The folder is in use by this process and by all that inherit the returned file descriptor, until the last of
    them has ended.

    Refuses when others use it: any others if ``exclusive``, else one that has it exclusively.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise Refused(
                    f"The data folder {folder} is in use by another “triggers” process. "
                    "Stop that one, or name another folder: --data"
                ) from None
        time.sleep(0.1)


def secret(path: Path, new: Callable[[], str]) -> str:
    """The secret kept in the file, which only its owner can read; a new one if there is no such file."""
    if not path.exists():
        # Written aside and linked, so that of several processes that start at once all read the same.
        draft = path.with_name(f"{path.name}.{uuid4().hex}")
        draft.touch(mode=0o600)
        draft.write_text(new())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()
