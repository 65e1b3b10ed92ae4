"""What is kept of a key, and shown of it."""

from hashlib import sha256

import pytest
from django.db import IntegrityError
from django.utils import timezone

from tests.keys.conftest import MakeKey
from triggers_api.keys import secret
from triggers_api.keys.models import ApiKey

pytestmark = pytest.mark.django_db


def test_of_the_secret_only_prefix_and_digest_are_kept(make_key: MakeKey) -> None:
    key = make_key("fire")
    assert key.secret is not None
    (row,) = ApiKey.objects.values()
    assert row["prefix"] == key.secret[:12]
    assert row["digest"] == sha256(key.secret.encode()).hexdigest()
    assert key.secret[12:] not in str(row)
    assert ApiKey.objects.get().secret is None


def test_a_key_does_not_show_its_secret(make_key: MakeKey) -> None:
    key = make_key("fire")
    assert str(key) == f"Shop ({key.prefix})"
    assert repr(key) == f"<ApiKey: Shop ({key.prefix})>"


def test_a_key_is_found_by_its_secret_and_by_nothing_else(make_key: MakeKey) -> None:
    key, other = make_key("fire"), make_key("fire")
    assert key.secret is not None
    assert other.secret is not None
    assert ApiKey.find(key.secret) == key
    assert ApiKey.find(key.prefix) is None
    assert ApiKey.find(key.digest) is None
    assert ApiKey.find("") is None
    assert ApiKey.find(key.prefix + other.secret[12:]) is None


def test_secrets_are_long_and_have_a_form() -> None:
    made = {secret.new() for _ in range(100)}
    assert len(made) == 100
    assert {len(text) for text in made} == {56}  # 43 letters of 62 are more than 256 bits
    assert all(secret.prefix(text) == text[:12] for text in made)


@pytest.mark.parametrize("text", ["", "trg_AbCd1234", "abc", "trg_AbCd1234_" + "x" * 42, "trg_AbCd1234_" + "x" * 44])
def test_a_key_takes_no_secret_of_another_form(text: str) -> None:
    with pytest.raises(ValueError, match="no secret of a key"):
        ApiKey().set_secret(text)


def test_no_two_keys_have_one_prefix(make_key: MakeKey) -> None:
    key = make_key("fire")
    twin = ApiKey(name="Twin", user=key.user, scopes=["fire"])
    twin.set_secret(key.prefix + secret.new()[12:])
    with pytest.raises(IntegrityError):
        twin.save()


def test_a_key_is_revoked_once(make_key: MakeKey) -> None:
    key = make_key("fire")
    assert ApiKey.objects.revoke() == 1
    key.refresh_from_db()
    first = key.revoked_at
    assert first is not None
    assert (key.state, first <= timezone.now()) == (ApiKey.State.REVOKED, True)

    assert ApiKey.objects.revoke() == 0
    key.refresh_from_db()
    assert key.revoked_at == first


def test_the_keys_of_a_user_go_with_the_user(make_key: MakeKey) -> None:
    make_key("fire").user.delete()
    assert not ApiKey.objects.exists()
