import datetime as dt
from decimal import Decimal
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st

from triggers.context import RESERVED_KEYS, decode, encode
from triggers.exceptions import ContextInvalid, ContextKeyReserved

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
    | st.datetimes(timezones=st.just(dt.UTC))
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.uuids()
    | st.decimals(allow_nan=False)
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


@given(st.dictionaries(text.filter(lambda key: key not in RESERVED_KEYS), values))
def test_what_is_stored_comes_back_equal_and_of_the_same_type(context):
    decoded = decode(encode(context))
    assert decoded == context
    assert types(decoded) == types(context)


def types(value):
    if isinstance(value, dict):
        return {key: types(item) for key, item in value.items()}
    return [types(item) for item in value] if isinstance(value, list) else type(value)


def test_types_beyond_json_are_stored_under_a_tag():
    assert encode({"at": dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC), "id": UUID(int=7), "sum": Decimal("1.50")}) == {
        "at": {"$datetime": "2026-01-31T09:00:00+00:00"},
        "id": {"$uuid": "00000000-0000-0000-0000-000000000007"},
        "sum": {"$decimal": "1.50"},
    }


def test_a_callers_own_tag_is_not_taken_for_one():
    context = {"a": {"$date": "never"}, "$b": {"$$c": 1}}
    assert decode(encode(context)) == context


@pytest.mark.parametrize(
    ("context", "path"),
    [
        ({"a": float("nan")}, ("a",)),
        ({"a": [1, {"b": float("inf")}]}, ("a", 1, "b")),
        ({"a": {1: "b"}}, ("a",)),
        ({"a": "nul\x00"}, ("a",)),
        ({"a": "\ud800"}, ("a",)),
        ({"\ud800": 1}, ("\ud800",)),
        ({"a": {1, 2}}, ("a",)),
        ({"a": User(username="ada")}, ("a",)),
        ({"a": b"bytes"}, ("a",)),
        ({"a": object()}, ("a",)),
        ([1], ()),
        ("text", ()),
    ],
)
def test_what_cannot_be_stored_is_refused_by_its_path(context, path):
    with pytest.raises(ContextInvalid) as refusal:
        encode(context)
    assert refusal.value.path == path
    assert refusal.value.code == "context_invalid"


def test_endless_nesting_is_refused():
    context: dict = {}
    context["a"] = context
    with pytest.raises(ContextInvalid, match="deeper than 32"):
        encode(context)


@pytest.mark.parametrize("key", sorted(RESERVED_KEYS))
def test_keys_that_are_set_for_actions_are_refused(key):
    with pytest.raises(ContextKeyReserved) as refusal:
        encode({key: 1})
    assert (refusal.value.code, refusal.value.path) == ("context_key_reserved", (key,))


def test_reserved_names_are_free_below_the_top_level():
    assert encode({"order": {"user": 1}}) == {"order": {"user": 1}}
