"""
Sudden death at chosen places of `triggers.running`, in the processes of a worker started for it.

`Seams.environment` goes to the worker; `ProbeConfig.ready` calls `install` there. From then on a
call of one of the functions below kills its process with SIGKILL, with the given probability, at a
random moment: before it, after one of its queries, or after it.
"""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from random import Random
from typing import Any

from django.db import connection
from django.utils.module_loading import import_string

VARIABLE = "PROBE_SEAMS"

#: What is to be interrupted: the owner of the function and its name.
PLACES = {
    "claim": ("triggers.running.lease.Lease", "claim"),
    "reserve": ("triggers.running.admission", "_reserve"),
    "perform": ("tests.probe.models.SlowAction", "perform"),
    "settle": ("triggers.running.settling", "succeed"),  # called when the effect is there, not committed
}


@dataclass(frozen=True)
class Seams:
    """Where deaths are counted, and how many there shall be at each place, how likely in each call."""

    folder: str
    seed: str
    deaths: int
    probability: float

    def environment(self) -> dict[str, str]:
        return {VARIABLE: json.dumps(asdict(self))}

    def counted(self) -> dict[str, int]:
        """Return how many processes died at each place so far."""
        return {place: self._size(place) for place in PLACES}

    def _size(self, name: str) -> int:
        path = Path(self.folder) / name
        return path.stat().st_size if path.exists() else 0

    def _add(self, name: str) -> int:
        with (Path(self.folder) / name).open("ab") as file:
            file.write(b".")
            return file.tell()

    def die_at(self, place: str) -> None:
        if self._size(place) < self.deaths:
            self._add(place)
            os.kill(os.getpid(), signal.SIGKILL)


def install() -> None:
    """Wrap the functions, if this process was started for it."""
    if VARIABLE not in os.environ:
        return
    seams = Seams(**json.loads(os.environ[VARIABLE]))
    for place, (owner_path, name) in PLACES.items():
        try:
            owner = import_string(owner_path)
        except ImportError:
            owner = __import__(owner_path, fromlist=[name])
        setattr(owner, name, _mortal(getattr(owner, name), place, seams))


def _mortal(function: Callable[..., Any], place: str, seams: Seams) -> Callable[..., Any]:
    generators: dict[int, Random] = {}

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        # A pool's processes are forks of one: each draws its own numbers.
        pid = os.getpid()
        random = generators.get(pid)
        if random is None:
            random = generators[pid] = Random(f"{seams.seed} {place} {seams._add('generators')}")
        if random.random() >= seams.probability:
            return function(*args, **kwargs)
        moments = random.randint(0, 3)

        def next_moment() -> None:
            nonlocal moments
            moments -= 1
            if moments < 0:
                seams.die_at(place)

        def after_query(execute: Callable[..., Any], *query: Any) -> Any:
            result = execute(*query)
            next_moment()
            return result

        next_moment()
        with connection.execute_wrapper(after_query):
            result = function(*args, **kwargs)
        seams.die_at(place)
        return result

    return wrapper
