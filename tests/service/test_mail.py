from email import message_from_bytes
from pathlib import Path

import pytest
from django.core.mail import EmailMessage, get_connection
from pytest_django import Settings

BACKEND = "triggers_api.service.mail.EmailBackend"


def test_each_message_is_a_file_and_is_printed(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    people = ("ada@example.com", "grace@example.com")
    messages = [EmailMessage("Grüße", "Hello.\nHow are you?", "from@example.com", [to]) for to in people]
    assert get_connection(BACKEND).send_messages(messages) == 2
    files = [message_from_bytes(file.read_bytes()) for file in (tmp_path / "mail").iterdir()]
    assert {file["To"] for file in files} == set(people)
    printed = capsys.readouterr().out
    for to in people:
        assert f"  | E-mail to {to}: Grüße\n  | \n  | Hello.\n  | How are you?\n" in printed
