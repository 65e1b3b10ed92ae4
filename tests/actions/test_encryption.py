"""Secrets at rest: what is in the database, in dumps and in what is told is of no use without the keys."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connection

from tests.acceptance.scenario import a_trigger
from tests.actions.receiver import SECRET
from triggers import snapshots
from triggers.contrib.actions.encryption import is_sealed, seal, unseal
from triggers.contrib.actions.models import CallWebhook
from triggers.loading import Definition
from triggers.models import Trigger

HEADERS = "Authorization: Bearer t0ken12"

pytestmark = pytest.mark.django_db


@pytest.fixture
def action() -> CallWebhook:
    action = CallWebhook(url="https://example.com/", signing_secret=SECRET, headers=HEADERS, body={"a": 1})
    a_trigger(action)
    return action


def stored() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT signing_secret, headers FROM triggers_actions_callwebhook")
        return [str(value) for row in cursor.fetchall() for value in row]


def readable() -> tuple[str, str]:
    action = CallWebhook.objects.get()
    return action.signing_secret, action.headers


def test_what_is_stored_is_encrypted_and_each_time_differently(action: CallWebhook) -> None:
    before = stored()
    assert all(is_sealed(text) for text in before)
    assert not any(part in text for text in before for part in (SECRET[6:], "t0ken12", "Authorization"))
    assert readable() == (SECRET, HEADERS)
    action.save()
    assert not set(before) & set(stored())
    assert readable() == (SECRET, HEADERS)


def test_it_is_read_by_older_keys_and_written_by_the_first(action: CallWebhook, settings: Any) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", [settings.SECRET_KEY]
    assert readable() == (SECRET, HEADERS)
    CallWebhook.objects.get().save()
    settings.SECRET_KEY_FALLBACKS = []
    assert readable() == (SECRET, HEADERS)

    settings.TRIGGERS_ENCRYPTION_KEYS = ["own key"]
    assert all(is_sealed(text) for text in readable())
    settings.TRIGGERS_ENCRYPTION_KEYS = ["own key", "new"]
    assert readable() == (SECRET, HEADERS)
    CallWebhook.objects.get().save()
    settings.TRIGGERS_ENCRYPTION_KEYS = ["own key"]
    settings.SECRET_KEY = "any"
    assert readable() == (SECRET, HEADERS)


def test_a_command_encrypts_all_by_the_first_key(action: CallWebhook, settings: Any) -> None:
    a_trigger(CallWebhook(url="https://example.com/", body={}), name="without secrets")
    old = settings.SECRET_KEY
    settings.TRIGGERS_ENCRYPTION_KEYS = ["new", old]
    out = StringIO()
    call_command("triggers_reencrypt", stdout=out)
    assert out.getvalue() == "Encrypted anew: 2.\n"
    settings.TRIGGERS_ENCRYPTION_KEYS = ["new"]
    assert [(each.signing_secret, each.headers) for each in CallWebhook.objects.order_by("pk")] == [
        (SECRET, HEADERS),
        ("", ""),
    ]


def test_the_command_names_what_no_key_opens_and_leaves_it(action: CallWebhook, settings: Any) -> None:
    lost = stored()
    CallWebhook.objects.update(headers="")
    settings.TRIGGERS_ENCRYPTION_KEYS = ["new"]
    out = StringIO()
    with pytest.raises(CommandError, match=rf"as it is: triggers_actions\.CallWebhook {action.pk}, signing_secret\."):
        call_command("triggers_reencrypt", stdout=out)
    assert out.getvalue() == "Encrypted anew: 0.\n"
    assert stored() == [lost[0], ""]


def test_what_cannot_be_opened_is_saved_as_it_is(action: CallWebhook, settings: Any) -> None:
    key, before = settings.SECRET_KEY, stored()
    settings.SECRET_KEY = "another"
    action = CallWebhook.objects.get()
    action.url = "https://example.com/other"
    action.save()
    assert stored() == before
    settings.SECRET_KEY = key
    assert readable() == (SECRET, HEADERS)


def test_what_was_changed_in_the_database_is_not_opened(action: CallWebhook) -> None:
    text = seal("secret")
    for index in (10, len(text) // 2, len(text) - 5):
        changed = text[:index] + ("A" if text[index] != "A" else "B") + text[index + 1 :]
        assert unseal(changed) == changed


def test_dumps_hold_no_secret_and_can_be_loaded(action: CallWebhook, tmp_path: Path) -> None:
    out = StringIO()
    call_command("dumpdata", "triggers", "triggers_actions", stdout=out)
    assert SECRET[6:] not in out.getvalue()
    assert "t0ken12" not in out.getvalue()
    dump = tmp_path / "dump.json"
    dump.write_text(out.getvalue())
    CallWebhook.objects.all().delete()
    call_command("loaddata", str(dump), verbosity=0)
    assert readable() == (SECRET, HEADERS)


def test_snapshots_hold_no_secret(action: CallWebhook) -> None:
    trigger = Trigger.objects.get()
    definition = Definition(trigger)
    definition.actions.append(action)
    described = json.dumps(snapshots._describe(definition, trigger.events.get()))
    assert "example.com" in described
    assert not any(part in described for part in (SECRET[6:], "t0ken12", "$sealed$"))


@pytest.mark.parametrize("value", ["key", ["key", ""], [1], ("key",)])
def test_a_setting_that_is_no_list_of_texts_is_an_error(settings: Any, value: Any) -> None:
    settings.TRIGGERS_ENCRYPTION_KEYS = value
    [message] = [each for each in checks.run_checks() if "TRIGGERS_ENCRYPTION_KEYS" in each.msg]
    assert message.id == "triggers.E004"
    assert "key" not in f"{message.msg}".replace("TRIGGERS_ENCRYPTION_KEYS", "")
