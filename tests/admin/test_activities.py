from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.acceptance.scenario import a_trigger
from tests.admin.pages import queries_of, text
from triggers.models import Activity

pytestmark = pytest.mark.django_db

LIST = reverse("admin:triggers_activity_changelist")


@pytest.fixture
def activity(ada: User, bob: User) -> Activity:
    trigger = a_trigger(name="Praise")
    Activity.objects.create(trigger=trigger, user=bob, action_count=1)
    return Activity.objects.create(trigger=trigger, user=ada, action_count=7)


@pytest.mark.parametrize("term", ["ada", "ADA@example.com"])
def test_the_ledger_is_searched_by_user_name_and_e_mail_address(
    admin_client: Client, activity: Activity, term: str
) -> None:
    assert list(admin_client.get(LIST, {"q": term}).context["cl"].result_list) == [activity]
    assert not admin_client.get(LIST, {"q": term[:2]}).context["cl"].result_list


def test_the_ledger_is_read_only(admin_client: Client, activity: Activity) -> None:
    url = reverse("admin:triggers_activity_change", args=[activity.pk])
    assert "Praise" in text(admin_client.get(url))
    assert admin_client.post(url, {"action_count": 0}).status_code == 403
    assert admin_client.get(reverse("admin:triggers_activity_add")).status_code == 403
    activity.refresh_from_db()
    assert activity.action_count == 7


def test_the_list_takes_as_many_queries_for_50_entries_as_for_5(admin_client: Client) -> None:
    def add(count: int) -> None:
        for _ in range(count):
            user = User.objects.create_user(f"user{User.objects.count()}")
            Activity.objects.create(trigger=a_trigger(name=user.username), user=user)

    add(5)
    for_5 = queries_of(admin_client, LIST)
    add(45)
    assert len(queries_of(admin_client, LIST)) == len(for_5)


def test_who_may_delete_an_entry_lets_the_trigger_act_anew(
    client_with: Callable[..., Client], activity: Activity
) -> None:
    client = client_with("view_activity", "delete_activity")
    client.post(reverse("admin:triggers_activity_delete", args=[activity.pk]), {"post": "yes"})
    assert not Activity.objects.filter(pk=activity.pk).exists()
