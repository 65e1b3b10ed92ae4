"""How gunicorn serves the web part. Its own variables, such as WEB_CONCURRENCY, apply too."""

from __future__ import annotations

from typing import Any

from triggers_api.service import lifeline

wsgi_app = "triggers_api.service.wsgi:application"
worker_class = "gthread"
threads = 8
loglevel = "warning"
# Within the time that the supervisor gives.
graceful_timeout = 15
control_socket_disable = True


def on_starting(server: Any) -> None:
    lifeline.end_with_supervisor()


def post_worker_init(worker: Any) -> None:
    lifeline.say_ready()
