from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.acceptance.scenario import a_trigger
from tests.admin.pages import hidden_values, history, messages, queries_of, run_list, runs_in, text, trigger_url
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers import fire
from triggers.admin import activities
from triggers.admin.paging import BoundedPaginator
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


def test_an_entry_leads_to_its_trigger_its_user_and_their_runs(
    admin_client: Client, client_with: Callable[..., Client], activity: Activity, ada: User, bob: User
) -> None:
    a_trigger(RecordEffectAction(), name="other")
    RecordEffectAction.objects.create(trigger=activity.trigger)
    fire(ProbeEvent, users=[ada, bob])
    page = reverse("admin:triggers_activity_change", args=[activity.pk])
    query = {"trigger__id__exact": activity.trigger_id, "user": ada.pk}
    runs = f"{reverse('admin:triggers_run_changelist')}?{urlencode(query)}".replace("&", "&amp;")
    links = [trigger_url(activity.trigger), reverse("admin:auth_user_change", args=[ada.pk]), runs]
    shown = admin_client.get(page).content.decode()
    assert all(f'href="{link}"' in shown for link in links)
    assert f'href="{runs}"' in admin_client.get(LIST).content.decode()
    (run,) = runs_in(run_list(admin_client, **query))
    assert (run.trigger_id, run.user_id) == (activity.trigger_id, ada.pk)

    client = client_with("view_activity")
    for response in (client.get(page), client.get(LIST)):
        assert runs not in response.content.decode()


def test_a_trigger_leads_to_its_entries(admin_client: Client, activity: Activity) -> None:
    Activity.objects.create(trigger=a_trigger(name="other"), user=activity.user)
    link = f"{LIST}?trigger__id__exact={activity.trigger_id}"
    assert f'href="{link}"' in admin_client.get(trigger_url(activity.trigger)).content.decode()
    entries = admin_client.get(link).context["cl"].result_list
    assert {entry.trigger_id for entry in entries} == {activity.trigger_id}


def test_the_list_takes_as_many_queries_for_50_entries_as_for_5(admin_client: Client) -> None:
    def add(count: int) -> None:
        for _ in range(count):
            user = User.objects.create_user(f"user{User.objects.count()}")
            Activity.objects.create(trigger=a_trigger(name=user.username), user=user)

    add(5)
    for_5 = queries_of(admin_client, LIST)
    add(45)
    for_50 = queries_of(admin_client, LIST)
    assert len(for_50) == len(for_5)
    (counting,) = (sql for sql in for_50 if "COUNT(" in sql)
    assert f"LIMIT {BoundedPaginator.LIMIT + 1}" in counting


def reset_url(activity: Activity) -> str:
    return reverse("admin:triggers_activity_reset", args=[activity.pk])


def page_url(activity: Activity) -> str:
    return reverse("admin:triggers_activity_change", args=[activity.pk])


@pytest.fixture
def resetter(client_with: Callable[..., Client]) -> Client:
    return client_with("view_activity", "reset_activity")


def counts() -> list[int]:
    return list(Activity.objects.order_by("pk").values_list("action_count", flat=True))


def test_an_entry_is_reset_once_that_is_confirmed(resetter: Client, activity: Activity) -> None:
    Activity.objects.filter(pk=activity.pk).update(last_action_datetime=datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
    assert f'href="{reset_url(activity)}"' in resetter.get(page_url(activity)).content.decode()
    question = resetter.get(reset_url(activity))
    assert "Reset this entry?" in text(question)
    assert "Praise ada 7" in text(question)
    assert resetter.post(reset_url(activity)).context["title"] == "Reset this entry?"
    assert counts() == [1, 7]

    response = resetter.post(reset_url(activity), hidden_values(question) | {"confirm": "Reset"}, follow=True)

    assert response.redirect_chain == [(page_url(activity), 302)]
    assert messages(response) == ["1 entry was reset."]
    assert counts() == [1, 0]
    activity.refresh_from_db()
    assert activity.last_action_datetime is None
    assert history(activity) == ["Reset. Before: 7 times, the last on Jan. 31, 2026 03:30:00."]


def test_a_selection_is_reset_once_that_is_confirmed(
    resetter: Client, activity: Activity, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {"action": "reset", "_selected_action": [each.pk for each in Activity.objects.all()]}
    question = resetter.post(LIST, chosen)
    assert question.context["title"] == "Reset these 2 entries?"
    assert counts() == [1, 7]

    response = resetter.post(LIST, chosen | {"confirm": "Reset"}, follow=True)

    assert messages(response) == ["2 entries were reset."]
    assert counts() == [0, 0]
    assert history(activity) == ["Reset."]

    monkeypatch.setattr(activities, "MAX_ENTRIES", 1)
    response = resetter.post(LIST, chosen | {"confirm": "Reset"}, follow=True)
    assert messages(response) == ["Nothing was done: select at most 1 entries at a time."]


def test_resetting_needs_a_permission(client_with: Callable[..., Client], activity: Activity) -> None:
    client = client_with("view_activity", "change_activity", "delete_activity")
    assert reset_url(activity) not in client.get(page_url(activity)).content.decode()
    assert client.get(LIST).context["action_form"] is None
    confirmed = {"confirm": "Reset"}
    assert client.post(reset_url(activity), confirmed).status_code == 403
    client.post(LIST, {"action": "reset", "_selected_action": [activity.pk]} | confirmed)
    assert counts() == [1, 7]


def test_resetting_needs_that_the_entry_may_be_seen(client_with: Callable[..., Client], activity: Activity) -> None:
    client = client_with("reset_activity")
    assert client.post(reset_url(activity), {"confirm": "Reset"}).status_code == 403
    assert counts() == [1, 7]


def test_entries_are_not_deleted_here(admin_client: Client, activity: Activity) -> None:
    url = reverse("admin:triggers_activity_delete", args=[activity.pk])
    assert admin_client.post(url, {"post": "yes"}).status_code == 403
    admin_client.post(LIST, {"action": "delete_selected", "_selected_action": [activity.pk], "post": "yes"})
    assert counts() == [1, 7]


def test_they_are_deleted_with_their_user(admin_client: Client, activity: Activity) -> None:
    url = reverse("admin:auth_user_delete", args=[activity.user_id])
    assert admin_client.post(url, {"post": "yes"}).status_code == 302
    assert counts() == [1]
