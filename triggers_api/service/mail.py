"""Where e-mail goes while no mail server is set: to files, with a copy on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from textwrap import indent
from uuid import uuid4

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class EmailBackend(BaseEmailBackend):
    """Keeps each message as a file in EMAIL_FILE_PATH, named by its time, and prints what a person reads of it."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.EMAIL_FILE_PATH)
        folder.mkdir(exist_ok=True)
        for message in email_messages:
            path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid4().hex[:8]}.eml"
            path.write_bytes(message.message().as_bytes())
            recipients = ", ".join(message.recipients())
            text = f"E-mail to {recipients}: {message.subject}\n\n{message.body.strip()}\n\nKept in {path}"
            print(f"\n{indent(text, '  | ', lambda _: True)}\n", flush=True)
        return len(email_messages)
