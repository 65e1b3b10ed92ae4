"""``manage.py triggers_key``."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.keys.conftest import MakeKey
from triggers_api.keys import secret
from triggers_api.keys.models import ApiKey
from triggers_api.keys.scopes import SCOPES

pytestmark = pytest.mark.django_db


def triggers_key(*arguments: str) -> list[str]:
    """The lines that are printed."""
    printed = StringIO()
    call_command("triggers_key", *arguments, stdout=printed)
    return printed.getvalue().splitlines()


def create(*options: str, user: str = "shop", name: str = "Shop", scope: str = "fire") -> list[str]:
    return triggers_key("create", "--user", user, "--name", name, "--scope", scope, *options)


def test_a_key_is_made_and_its_secret_is_the_last_line(shop: User) -> None:
    lines = create()

    key = ApiKey.objects.get()
    assert lines == [f"The key {key.prefix} acts as shop. Its secret is shown this once:", lines[-1]]
    assert ApiKey.find(lines[-1]) == key
    assert (key.user, key.name, key.scopes, key.event_types, key.expires_at) == (shop, "Shop", ["fire"], [], None)


def test_a_key_is_made_with_all_there_is(shop: User) -> None:
    before = timezone.now()
    event_types = ["app.TaskCompletedEvent", "probe.ProbeEvent"]
    types = [part for name in event_types for part in ("--event-type", name)]
    create("--scope", "runs:read", "--scope", "fire", *types, "--expires-in", "90d")

    key = ApiKey.objects.get()
    assert (key.scopes, key.event_types) == (["fire", "runs:read"], event_types)
    assert key.expires_at is not None
    assert before <= key.expires_at - timedelta(days=90) <= timezone.now()


@pytest.mark.parametrize(("text", "duration"), [("12h", timedelta(hours=12)), ("30m", timedelta(minutes=30))])
def test_the_time_may_be_given_in_other_units(shop: User, text: str, duration: timedelta) -> None:
    before = timezone.now()
    create("--expires-in", text)
    expires_at = ApiKey.objects.get().expires_at
    assert expires_at is not None
    assert before <= expires_at - duration <= timezone.now()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"user": "nobody"}, "--user: There is no user “nobody”."),
        ({"scope": "fires"}, f"--scope: There is no scope “fires”; there are {', '.join(SCOPES)}."),
        ({"name": ""}, "--name: This field cannot be blank."),
        ({"name": "x" * 101}, "--name: Ensure this value has at most 100 characters (it has 101)."),
    ],
)
def test_wrong_values_are_refused(shop: User, arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(CommandError) as refusal:
        create(**arguments)
    assert str(refusal.value) == error
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("--expires-in", "90", "--expires-in: Write “90” as 90d, 12h or 30m."),
        ("--expires-in", "0d", "--expires-in: Write “0d” as 90d, 12h or 30m."),
        ("--expires-in", "9" * 20 + "d", "--expires-in: That is beyond the last date there is."),
        ("--expires-in", "9" * 5000 + "d", "--expires-in: That is beyond the last date there is."),
        ("--expires-in", "99999999d", "--expires-in: That is beyond the last date there is."),
        ("--event-type", "x", "--event-type: No installed event type is called “x”. There are "),
        (
            "--event-type",
            "app.taskcompletedevent",
            "--event-type: No installed event type is called “app.taskcompletedevent”; "
            "did you mean “app.TaskCompletedEvent”? There are app.",
        ),
    ],
)
def test_wrong_options_are_refused(shop: User, option: str, value: str, error: str) -> None:
    with pytest.raises(CommandError) as refusal:
        create(option, value)
    assert str(refusal.value).startswith(error)
    assert not ApiKey.objects.exists()


def test_without_scopes_there_is_no_key(shop: User) -> None:
    with pytest.raises(CommandError, match="the following arguments are required: --scope"):
        triggers_key("create", "--user", "shop", "--name", "Shop")


def test_keys_are_listed_the_newest_first(make_key: MakeKey) -> None:
    moment = timezone.now().replace(year=2000, month=1, day=31, hour=9, minute=5)
    old = make_key("fire", "runs:read", expires_at=moment)
    new = make_key("explain", name="Office", event_types=["app.TaskCompletedEvent"])
    ApiKey.objects.filter(pk=old.pk).update(last_used_at=moment)

    assert triggers_key("list") == [
        f"{new.prefix}  active  Office, as shop",
        "    scopes: explain",
        "    event types: app.TaskCompletedEvent",
        "    expires: never; last used: never",
        f"{old.prefix}  expired  Shop, as shop",
        "    scopes: fire, runs:read",
        "    expires: 2000-01-31T09:05+00:00; last used: 2000-01-31T09:05+00:00",
    ]


def test_a_key_is_revoked_by_its_prefix(make_key: MakeKey) -> None:
    key, other = make_key("fire"), make_key("fire")

    assert triggers_key("revoke", key.prefix) == [f"The key {key.prefix} is revoked."]
    assert triggers_key("revoke", key.prefix) == [f"The key {key.prefix} was revoked before."]

    key.refresh_from_db()
    other.refresh_from_db()
    assert (key.state, other.state) == ("revoked", "active")


def test_a_key_that_was_found_somewhere_is_revoked_by_its_secret(make_key: MakeKey) -> None:
    key = make_key("fire")
    assert triggers_key("revoke", str(key.secret)) == [f"The key {key.prefix} is revoked."]


@pytest.mark.parametrize(
    "text",
    ["trg_AbCd1234", secret.new(), secret.new() + "x"],
    ids=["the prefix alone", "of no key", "a letter too many"],
)
def test_the_refusal_of_an_unknown_key_repeats_no_secret(make_key: MakeKey, text: str) -> None:
    with pytest.raises(CommandError) as refusal:
        triggers_key("revoke", text)
    assert str(refusal.value) == "There is no key with this prefix. These are the keys: triggers_key list"
