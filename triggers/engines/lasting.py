"""Connections to the database that outlast a task of Celery, as they outlast a request of Django."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

_kept: Final[dict[str, BaseDatabaseWrapper]] = {}


@contextmanager
def lasting_connections() -> Iterator[None]:
    """
    What is connected in the block is connected still in the next block, for as long as ``CONN_MAX_AGE`` says.

    Celery closes every connection before and after each task, whatever that setting says: where a task is one run,
    connecting takes longer than all that the run does. So between tasks they are kept where Celery does not see them.
    In pools of threads each task connects anew: their connections belong to the thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    while _kept:
        alias, connection = _kept.popitem()
        connections[alias] = connection
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None and not connection.in_atomic_block:
                _kept[connection.alias] = connection
                del connections[connection.alias]
