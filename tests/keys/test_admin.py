"""Keys in the admin: made with a secret that is seen once, by people for themselves, and revoked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.admin.pages import form_values, history, messages, queries_of, text
from tests.keys.conftest import MakeKey
from triggers_api.keys.models import ApiKey

pytestmark = pytest.mark.django_db

ADD = reverse("admin:triggers_keys_apikey_add")
LIST = reverse("admin:triggers_keys_apikey_changelist")


@pytest.fixture
def superuser(admin_user: User) -> Client:
    client = Client()
    client.force_login(admin_user)
    return client


@pytest.fixture
def staff_with(db: None) -> Callable[..., Client]:
    """Returns the client of the member of staff “staff”, who has these permissions on keys, and no other."""

    def staff_with(*verbs: str) -> Client:
        person = User.objects.create_user("staff", is_staff=True)
        codenames = [f"{verb}_apikey" for verb in verbs]
        person.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(person)
        return client

    return staff_with


def page_of(key: ApiKey) -> str:
    return reverse("admin:triggers_keys_apikey_change", args=[key.pk])


def values(**changes: Any) -> dict[str, Any]:
    return {"name": "Shop", "scopes": ["fire", "runs:read"]} | changes


def test_a_superuser_makes_a_key_for_another_user(superuser: Client, shop: User) -> None:
    moment = timezone.localtime().replace(microsecond=0) + timedelta(days=90)
    expiry = {"expires_at_0": moment.date().isoformat(), "expires_at_1": moment.time().isoformat()}
    superuser.post(ADD, values(user=shop.pk, event_types=["app.TaskCompletedEvent"], **expiry))

    key = ApiKey.objects.get()
    assert (key.name, key.user, key.scopes) == ("Shop", shop, ["fire", "runs:read"])
    assert (key.event_types, key.expires_at) == (["app.TaskCompletedEvent"], moment)


def test_the_secret_is_in_the_answer_and_nowhere_else(superuser: Client, shop: User) -> None:
    response = superuser.post(ADD, values(user=shop.pk))

    key = ApiKey.objects.get()
    secret = response.context["key"].secret
    assert ApiKey.find(secret) == key
    assert response.content.decode().count(secret) == 1
    assert "no-store" in response.headers["Cache-Control"]
    assert "This is the secret of the key “Shop”, which acts as shop." in text(response)
    kept = str(
        [*ApiKey.objects.values(), *LogEntry.objects.values(), *(row.get_decoded() for row in Session.objects.all())]
    )
    kept += str(superuser.cookies)
    for url in (LIST, page_of(key), reverse("admin:triggers_keys_apikey_history", args=[key.pk])):
        kept += superuser.get(url).content.decode()
    assert key.prefix in kept
    assert secret[12:] not in kept
    assert key.digest not in superuser.get(page_of(key)).content.decode()
    assert history(key) == ["Added."]


def test_the_form_begins_with_oneself_and_offers_every_scope(superuser: Client, admin_user: User) -> None:
    response = superuser.get(ADD)
    assert response.context["adminform"].form["user"].value() == admin_user.pk
    page = text(response)
    assert "fire:all – fire events for all users; needs fire, too" in page
    assert "app.TaskCompletedEvent" in page


def test_others_make_keys_for_themselves_only(staff_with: Callable[..., Client], admin_user: User) -> None:
    staff = staff_with("add", "view")
    assert "user" not in staff.get(ADD).context["adminform"].form.fields

    staff.post(ADD, values(user=admin_user.pk))

    assert ApiKey.objects.get().user == User.objects.get(username="staff")


@pytest.mark.parametrize(
    ("change", "field", "error"),
    [
        ({"scopes": []}, "scopes", "This field is required."),
        ({"scopes": ["fires"]}, "scopes", "Select a valid choice. fires is not one of the available choices."),
        ({"event_types": ["x"]}, "event_types", "Select a valid choice. x is not one of the available choices."),
        ({"name": ""}, "name", "This field is required."),
        ({"user": ""}, "user", "This field is required."),
        (
            {"expires_at_0": "2020-01-31", "expires_at_1": "09:00"},
            "expires_at",
            "Write a time to come; to end a key now, revoke it.",
        ),
    ],
)
def test_wrong_values_are_refused(
    superuser: Client, shop: User, change: dict[str, Any], field: str, error: str
) -> None:
    response = superuser.post(ADD, values(user=shop.pk) | change)
    assert response.context["adminform"].form.errors == {field: [error]}
    assert not ApiKey.objects.exists()


def test_a_key_is_changed_but_neither_its_user_nor_its_secret(
    superuser: Client, make_key: MakeKey, shop: User, admin_user: User
) -> None:
    key = make_key("fire")
    fields = form_values(superuser.get(page_of(key)))
    assert set(fields) == {"name", "scopes", "event_types"}  # and no time when it expires

    response = superuser.post(
        page_of(key), {"name": "Store", "scopes": ["explain"], "user": admin_user.pk, "prefix": "x"}
    )

    assert response.status_code == 302
    changed = ApiKey.objects.get()
    assert (changed.name, changed.scopes) == ("Store", ["explain"])
    assert (changed.user, changed.prefix, changed.digest) == (shop, key.prefix, key.digest)


def test_an_expired_key_can_be_renamed(superuser: Client, make_key: MakeKey) -> None:
    key = make_key("fire", expires_at=timezone.now().replace(year=2020))
    fields = form_values(superuser.get(page_of(key)))
    moment = timezone.localtime(fields.pop("expires_at"))
    fields |= {"name": "Old", "expires_at_0": moment.date().isoformat(), "expires_at_1": moment.time().isoformat()}
    assert superuser.post(page_of(key), fields).status_code == 302
    assert ApiKey.objects.get().name == "Old"


def test_a_type_that_was_uninstalled_keeps_limiting_its_key(superuser: Client, make_key: MakeKey) -> None:
    key = make_key("fire", event_types=["gone.Event"])
    page = superuser.get(page_of(key))
    assert "gone.Event (not installed)" in text(page)

    assert superuser.post(page_of(key), form_values(page) | {"name": "Store"}).status_code == 302

    assert ApiKey.objects.get().event_types == ["gone.Event"]
    assert "gone.Event (not installed)" not in text(superuser.get(ADD))


def test_others_cannot_change_revoke_or_delete_the_keys_of_others(
    staff_with: Callable[..., Client], make_key: MakeKey
) -> None:
    staff = staff_with("view", "change", "delete")
    key, own = make_key("fire"), make_key("fire", user=User.objects.get(username="staff"))

    assert staff.post(page_of(key), values(scopes=["fire:all"])).status_code == 403
    delete = {"action": "delete_selected", "_selected_action": [key.pk], "post": "yes"}
    assert staff.post(LIST, delete).status_code == 403
    revoke = {"action": "revoke", "_selected_action": [key.pk, own.pk]}
    response = staff.post(LIST, revoke, follow=True)

    assert messages(response) == ["1 key was revoked.", "1 key was left alone: it is not yours."]
    key.refresh_from_db()
    own.refresh_from_db()
    assert (key.state, key.scopes, own.state) == ("active", ["fire"], "revoked")


def test_keys_are_revoked(superuser: Client, make_key: MakeKey) -> None:
    old, key, other = make_key("fire", revoked_at=timezone.now()), make_key("fire"), make_key("fire")

    revoke = {"action": "revoke", "_selected_action": [old.pk, key.pk]}
    response = superuser.post(LIST, revoke, follow=True)

    assert messages(response) == ["1 key was revoked."]
    assert [one.state for one in ApiKey.objects.order_by("pk")] == ["revoked", "revoked", "active"]
    assert (history(old), history(key), history(other)) == ([], ["Revoked."], [])


def test_who_may_only_look_is_shown_keys_and_may_revoke_none(
    staff_with: Callable[..., Client], make_key: MakeKey
) -> None:
    staff = staff_with("view")
    key = make_key("fire")
    assert key.prefix in text(staff.get(LIST))
    assert "fire" in text(staff.get(page_of(key)))
    assert staff.get(ADD).status_code == 403
    staff.post(LIST, {"action": "revoke", "_selected_action": [key.pk]})
    key.refresh_from_db()
    assert key.state == "active"


def test_the_list_says_what_each_key_is_for(superuser: Client, make_key: MakeKey) -> None:
    make_key("fire", "runs:read")
    make_key("explain", name="Office", event_types=["app.TaskCompletedEvent"], expires_at=timezone.now())
    page = text(superuser.get(LIST))
    assert "Shop shop fire, runs:read all - - active" in page
    assert "Office shop explain app.TaskCompletedEvent" in page
    assert "expired" in page


def test_keys_are_searched_by_prefix_name_and_user(superuser: Client, make_key: MakeKey, admin_user: User) -> None:
    key, office = make_key("fire"), make_key("fire", name="Office", user=admin_user)
    for term, expected in {key.prefix: [key], "offi": [office], "SHOP": [key], "admin@example.com": [office]}.items():
        assert list(superuser.get(LIST, {"q": term}).context["cl"].result_list) == expected, term


def test_the_list_costs_the_same_for_any_number_of_keys(superuser: Client, make_key: MakeKey) -> None:
    make_key("fire")
    few = queries_of(superuser, LIST)
    for _ in range(10):
        make_key("fire")
    assert len(queries_of(superuser, LIST)) == len(few)
