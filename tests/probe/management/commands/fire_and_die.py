"""Fires an event and dies between the commit and the hand-off to the engine."""

import os
import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from triggers import fire


class Command(BaseCommand):
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", type=int)

    def handle(self, *args: Any, user: int, **options: Any) -> None:
        with transaction.atomic():
            # Registered first, so it comes before the hook that hands over.
            transaction.on_commit(lambda: os.kill(os.getpid(), signal.SIGKILL))
            fire("probe.ProbeEvent", users=user)
