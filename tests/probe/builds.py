"""
Other code than today's in a worker started for it: with `VARIABLE` in its environment, its workflows are those of that
name in `tests.replay.changed`, as if it were a later build.
"""

import os
from types import SimpleNamespace

from django.utils.module_loading import import_string

VARIABLE = "PROBE_WORKFLOWS"


def install() -> None:
    if VARIABLE not in os.environ:
        return
    from triggers.engines.temporal import worker

    run, chunk = import_string(f"tests.replay.changed.{os.environ[VARIABLE]}")
    # The module stays as it is: those that were changed are made of what it has.
    vars(worker)["workflows"] = SimpleNamespace(RunWorkflow=run, ChunkWorkflow=chunk)
