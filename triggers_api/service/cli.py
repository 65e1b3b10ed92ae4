"""
The command line: ``triggers serve`` runs everything, ``triggers web`` and ``triggers worker`` the parts alone.

Options are for a person at a terminal; all else is set by the environment, in ``settings.py``.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import sys
from argparse import REMAINDER, SUPPRESS, ArgumentParser, Namespace
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

from triggers_api.service import folder
from triggers_api.service.refusal import Refused

#: Of the extra `service`; without it this command is installed all the same.
NEEDED: Final = ("environ", "gunicorn", "rest_framework", "whitenoise")
# -P: a file in the current folder that has the name of a module is not taken for it.
_PYTHON: Final = (sys.executable, "-P", "-m")
_CELERY_WORKER: Final = (
    *_PYTHON,
    "celery",
    "--quiet",
    "--app=triggers_api.service.celery:app",
    "worker",
    "--pool=prefork",
    # What workers tell each other is not needed, and nobody would fetch it from a filesystem broker.
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
)
_TEMPORAL_WORKER: Final = (*_PYTHON, "triggers_api.service.temporal")


def main(arguments: Sequence[str] | None = None) -> None:
    """The ``triggers`` command."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)
    os.environ["DJANGO_SETTINGS_MODULE"] = "triggers_api.service.settings"
    os.environ["TRIGGERS_DATA"] = str(options.data.absolute())
    try:
        if not all(map(find_spec, NEEDED)):
            raise Refused("The service is not installed: pip install 'dj-triggers[service]'")
        folder.make(options.data)
        options.command(options)
    except (Refused, ImproperlyConfigured) as refusal:
        sys.exit(f"triggers: {refusal}")
    except OperationalError as error:
        sys.exit(f"triggers: The database says: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def serve(options: Namespace) -> None:
    """Run everything: the database, the web server and the worker."""
    lock = folder.lock(options.data, exclusive=True)
    listener = _listen(options.host, options.port)
    _set_up_django()
    from django.core.management import call_command
    from django.db import connections

    from triggers import engines
    from triggers_api.service import greeting, recovery
    from triggers_api.service.demo.seed import seed
    from triggers_api.service.settings import DATA, HAS_OWN_DATABASE
    from triggers_api.service.supervisor import Child, Supervisor, say

    call_command("migrate", interactive=False, verbosity=0)
    demo = seed(DATA) if options.demo else None
    if HAS_OWN_DATABASE:
        # Who holds the folder is alone with its database: all messages and leases are of the past.
        shutil.rmtree(DATA / "broker", ignore_errors=True)
        recovery.resume()
    text = greeting.text(listener.getsockname(), demo)
    connections.close_all()
    children = [
        Child("web server", _web(listener), [lock, listener.fileno()]),
        Child("worker", _worker(engines.default_name()), [lock]),
    ]
    Supervisor(children).run(when_ready=lambda: say(text), when_stopping=listener.close)


def web(options: Namespace) -> None:
    """Run the admin and the HTTP API alone."""
    lock = folder.lock(options.data, exclusive=False)
    listener = _listen(options.host, options.port)
    _set_up_django()
    _require_migrations()
    os.set_inheritable(lock, True)
    listener.set_inheritable(True)
    print(f"Starting the web server on port {listener.getsockname()[1]}. Ctrl-C stops it.", flush=True)
    os.execv(sys.executable, _web(listener))  # noqa: S606 - no shell is wanted


def worker(options: Namespace) -> None:
    """Run the worker alone."""
    lock = folder.lock(options.data, exclusive=False)
    _set_up_django()
    _require_migrations()
    os.set_inheritable(lock, True)
    from triggers import engines

    command = _worker(options.engine or engines.default_name())
    print("Starting the worker. Ctrl-C stops it.", flush=True)
    os.execv(sys.executable, command)  # noqa: S606 - no shell is wanted


def migrate(_options: Namespace) -> None:
    """Bring the database up to this version."""
    manage(Namespace(arguments=["migrate"]))


def manage(options: Namespace) -> None:
    """Run one of Django's commands: triggers manage createsuperuser"""
    _set_up_django()
    from django.core.management import execute_from_command_line

    execute_from_command_line(["triggers manage", *options.arguments])


def export(options: Namespace) -> None:
    """Write all that is set up to the standard output, as a file to keep and to apply."""
    _manage_ready("triggers_export", *(["--json"] if options.json else []))


def apply(options: Namespace) -> None:
    """Make what is set up as a file says, all of it or nothing."""
    flags = [f"--{name}" for name in ("plan", "prune") if getattr(options, name)]
    _manage_ready("triggers_apply", *flags, "--", options.file)


def _manage_ready(*arguments: str) -> None:
    _set_up_django()
    _require_migrations()
    manage(Namespace(arguments=arguments))


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="triggers", description="When something happens to a user, do that.")
    parser.set_defaults(data=Path(os.environ.get("TRIGGERS_DATA", "triggers-data")))
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in (serve, web, worker, migrate, export, apply, manage):
        description = command.__doc__
        part = commands.add_parser(command.__name__, help=description, description=description)
        part.set_defaults(command=command)
        part.add_argument("--data", type=Path, default=SUPPRESS, help="the data folder (./triggers-data)")
        if command is serve:
            part.add_argument("--demo", action="store_true", help="add people, a trigger and logins to try it with")
        if command in (serve, web):
            part.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
            part.add_argument("--port", type=int, default=8000, help="the port to listen on (%(default)s)")
        if command is worker:
            part.add_argument(
                "--engine", choices=["celery", "temporal"], help="whose runs to perform (those of the default engine)"
            )
        if command is export:
            part.add_argument("--json", action="store_true", help="in JSON (in YAML)")
        if command is apply:
            part.add_argument("file", help="a file in YAML or JSON; - is the standard input")
            part.add_argument("--plan", action="store_true", help="say what would be changed, and change nothing")
            part.add_argument("--prune", action="store_true", help="delete what the sections of the file do not name")
        if command is manage:
            part.add_argument("arguments", nargs=REMAINDER)
    return parser


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that the port is ours from here on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OverflowError:
        raise Refused(f"There is no port {port}: --port takes 0 to 65535.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Refused(f"Port {port} of {host} is in use. Take another: --port {port + 1}") from None
        raise Refused(f"Cannot listen on port {port} of {host}: {error.strerror}. See --host and --port.") from None


def _web(listener: socket.socket) -> list[str]:
    return [*_PYTHON, "gunicorn", "--config=python:triggers_api.service.gunicorn", f"--bind=fd://{listener.fileno()}"]


def _worker(engine: str) -> list[str]:
    if engine == "celery":
        return [*_CELERY_WORKER]
    if not find_spec("temporalio"):
        raise Refused("Temporal's client is not installed: pip install 'dj-triggers[service,temporal]'")
    return [*_TEMPORAL_WORKER]


def _set_up_django() -> None:
    import django

    django.setup()


def _require_migrations() -> None:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise Refused("The database is not ready for this version. Make it so: triggers migrate")
