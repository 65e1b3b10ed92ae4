"""The e-mails that workers started here have sent: Django's file backend writes them below the test's folder."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

# Between messages of one file: processes that were forked from one may give their files the same name.
SEPARATOR = b"-" * 79 + b"\n"


def sent_mails(folder: Path) -> list[EmailMessage]:
    """Return what is in the folder; the file that was written to last comes last."""
    files = sorted((folder / "mail").glob("*"), key=lambda file: file.stat().st_mtime_ns)
    return [
        message_from_bytes(message, policy=policy.default)
        for file in files
        for message in file.read_bytes().split(SEPARATOR)
        if message
    ]
