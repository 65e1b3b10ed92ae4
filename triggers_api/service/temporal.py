"""The Temporal worker as a part of the service: python -m triggers_api.service.temporal"""

from __future__ import annotations

import sys

import django

from triggers_api.service import lifeline


def main() -> None:
    """Work until told to stop."""
    lifeline.end_with_supervisor()
    django.setup()
    from triggers import conf
    from triggers.engines.temporal import worker
    from triggers_api.service.settings import WORKER_CONCURRENCY

    options = worker.Options(conf.temporal_task_queue(), WORKER_CONCURRENCY)
    try:
        worker.run(options, say=lambda text: print(text, flush=True), when_ready=lifeline.say_ready)
    except worker.WorkerRefused as refusal:
        sys.exit(f"triggers: {refusal}")


if __name__ == "__main__":
    main()
