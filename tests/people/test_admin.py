"""People in the admin."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from triggers_api.service.people.models import Person
from triggers_api.service.people.registering import put

pytestmark = pytest.mark.django_db

URL = "/admin/people/person/"
FIELDS = {"key": "ada", "email": "ada@example.com", "name": "Ada", "time_zone": "Europe/London", "attributes": "{}"}


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    return client


def test_a_person_is_added_with_a_user_who_cannot_sign_in(admin: Client) -> None:
    assert admin.post(f"{URL}add/", FIELDS).status_code == 302
    person = Person.objects.get()
    assert (person.key, person.name, person.user.email) == ("ada", "Ada", "ada@example.com")
    assert not person.user.has_usable_password()
    page = admin.get(f"{URL}?q=ada@example.com").content.decode()
    assert "ada@example.com" in page
    assert "Europe/London" in page


def test_a_person_is_changed_and_what_is_wrong_is_said(admin: Client) -> None:
    person, _ = put("ada", email="ada@example.com")
    page = f"{URL}{person.pk}/change/"
    assert 'value="ada@example.com"' in admin.get(page).content.decode()
    assert admin.post(page, FIELDS | {"email": "countess@example.com", "attributes": ""}).status_code == 302
    assert Person.objects.get().attributes == {}
    assert Person.objects.get().user.email == "countess@example.com"
    answer = admin.post(page, FIELDS | {"key": "a b", "time_zone": "Mars", "attributes": "[1]"}).content.decode()
    for said in ("Write 1 to 255 printable characters", "Write the name of a time zone", "Write an object"):
        assert said in answer


@pytest.mark.parametrize(("is_staff", "users"), [(False, ["admin"]), (True, ["admin", "ada"])])
def test_a_person_is_deleted_with_a_user_who_is_nothing_else(admin: Client, is_staff: bool, users: list[str]) -> None:
    person, _ = put("ada", email="")
    User.objects.filter(username="ada").update(is_staff=is_staff)
    assert admin.post(f"{URL}{person.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Person.objects.exists()
    assert list(User.objects.order_by("pk").values_list("username", flat=True)) == users
