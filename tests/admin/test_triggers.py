from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.urls import reverse

from tests.acceptance.scenario import a_trigger
from tests.admin.pages import (
    form_values,
    history,
    messages,
    names_in,
    queries_of,
    run_list,
    text,
    trigger_list,
    trigger_url,
)
from tests.app.models import ClockEvent, HasUncompletedTaskCondition, SendEmailAction
from tests.probe.models import ProbeEvent, RecordEffectAction, StopAction, UsernameCondition
from triggers import fire
from triggers.models import Action, ActionCountCondition, Condition, Event, Trigger

pytestmark = pytest.mark.django_db

LIST = reverse("admin:triggers_trigger_changelist")


def uninstall(component: Event | Condition | Action) -> None:
    """Leave the component's row as it is when the app of its class is no longer installed."""
    gone, _ = ContentType.objects.get_or_create(app_label="legacy", model="forgotten")
    base: Any = next(base for base in (Event, Condition, Action) if isinstance(component, base))
    base.objects.non_polymorphic().filter(pk=component.pk).update(polymorphic_ctype=gone)


def press(client: Client, action: str, *triggers: Trigger) -> list[str]:
    """Choose the action for the triggers in the list; return what the page says then."""
    data = {"action": action, "_selected_action": [trigger.pk for trigger in triggers]}
    return messages(client.post(LIST, data, follow=True))


def test_the_list_says_when_if_and_do_in_words(admin_client: Client) -> None:
    trigger = a_trigger(
        SendEmailAction(subject="a", message="b"),
        StopAction(),
        event=ClockEvent(delay=timedelta(minutes=5)),
        conditions=[ActionCountCondition(limit=3)],
        name="Praise",
    )
    ProbeEvent.objects.create(trigger=trigger)
    Trigger.objects.update(description="Kind words, " * 50)
    page = text(trigger_list(admin_client))
    assert "Clock, 5 minutes later Probe event Action count no more than 3 Send an e-mail Stop action" in page
    assert "Kind words, Kind words," in page
    assert page.count("Kind words,") < 20


def test_the_list_takes_as_many_queries_for_50_triggers_as_for_5(admin_client: Client) -> None:
    def add(count: int) -> None:
        for _ in range(count):
            a_trigger(
                RecordEffectAction(),
                SendEmailAction(),
                conditions=[ActionCountCondition(), HasUncompletedTaskCondition()],
                name=f"trigger {Trigger.objects.count()}",
            )
        uninstall(Event.objects.latest("pk"))

    add(5)
    for_5 = queries_of(admin_client, LIST)
    add(45)
    assert len(names_in(trigger_list(admin_client))) == 50
    assert len(queries_of(admin_client, LIST)) == len(for_5)


def test_triggers_are_found_by_name_and_description(admin_client: Client) -> None:
    a_trigger(name="Praise")
    other = a_trigger(name="Blame")
    Trigger.objects.filter(pk=other.pk).update(description="for lazy people")
    assert names_in(trigger_list(admin_client, q="prai")) == ["Praise"]
    assert names_in(trigger_list(admin_client, q="LAZY")) == ["Blame"]


def test_triggers_are_filtered_by_the_types_of_their_components(admin_client: Client) -> None:
    a_trigger(RecordEffectAction(), RecordEffectAction(), event=ClockEvent(), name="a")
    a_trigger(StopAction(), conditions=[UsernameCondition(prefix="x")], name="b", is_enabled=False)
    kinds = {"event_type": ClockEvent, "condition_type": UsernameCondition, "action_type": RecordEffectAction}
    found = {
        name: names_in(trigger_list(admin_client, **{name: ContentType.objects.get_for_model(model).pk}))
        for name, model in kinds.items()
    }
    assert found == {"event_type": ["a"], "condition_type": ["b"], "action_type": ["a"]}
    assert names_in(trigger_list(admin_client, is_enabled__exact="0")) == ["b"]
    assert names_in(trigger_list(admin_client, event_type="nonsense")) == []


def test_complete_triggers_are_enabled_and_of_the_others_it_is_said_what_is_missing(admin_client: Client) -> None:
    complete = a_trigger(RecordEffectAction(), name="complete", is_enabled=False)
    no_action = a_trigger(name="no action", is_enabled=False)
    empty = Trigger.objects.create(name="empty")
    assert press(admin_client, "enable", complete, no_action, empty) == [
        "The trigger “empty” cannot be enabled as long as it has no event and no action. Add an event and an action.",
        "The trigger “no action” cannot be enabled as long as it has no action. Add one.",
        "1 trigger was enabled.",
    ]
    assert Trigger.objects.get(is_enabled=True) == complete
    assert history(complete) == ["Enabled."]
    assert history(no_action) == history(empty) == []


def test_triggers_are_disabled(admin_client: Client) -> None:
    triggers = [a_trigger(name="a"), a_trigger(name="b"), a_trigger(name="c", is_enabled=False)]
    assert press(admin_client, "disable", *triggers) == ["2 triggers were disabled."]
    assert not Trigger.objects.filter(is_enabled=True).exists()
    assert [history(trigger) for trigger in triggers] == [["Disabled."], ["Disabled."], []]


def test_who_may_only_look_is_not_offered_to_enable(client_with: Callable[..., Client]) -> None:
    trigger = a_trigger(RecordEffectAction(), is_enabled=False)
    client = client_with("view_trigger")
    assert trigger_list(client).context["action_form"] is None
    press(client, "enable", trigger)
    assert not Trigger.objects.get().is_enabled


@pytest.mark.parametrize("kind", ["events", "conditions", "actions"])
def test_a_component_whose_class_is_not_installed_is_told_and_kept(admin_client: Client, kind: str) -> None:
    trigger = a_trigger(RecordEffectAction(), conditions=[ActionCountCondition()], is_enabled=False)
    lost = getattr(trigger, kind).get()
    uninstall(lost)
    what = "“legacy.forgotten”, which is not installed"
    assert what in text(trigger_list(admin_client))
    response = admin_client.get(trigger_url(trigger))
    assert f"There is also {what}" in text(response)

    values = form_values(response) | {"description": "changed"}
    assert admin_client.post(trigger_url(trigger), values).status_code == 302
    assert Trigger.objects.get().description == "changed"
    assert getattr(trigger, kind).non_polymorphic().get().pk == lost.pk

    refusal = press(admin_client, "enable", trigger)[-1]
    assert f"The trigger “probe” cannot be enabled as long as it has {what}." in refusal
    values["is_enabled"] = "on"
    assert f"The trigger cannot be enabled: it has {what}." in text(admin_client.post(trigger_url(trigger), values))


def test_a_component_whose_own_row_is_gone_is_told(admin_client: Client) -> None:
    trigger = a_trigger(RecordEffectAction())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM probe_probeevent")
    assert "“probe.probeevent”, which is not installed" in text(trigger_list(admin_client))
    assert "There is also “probe.probeevent”" in text(admin_client.get(trigger_url(trigger)))


def test_a_trigger_whose_own_class_is_not_installed_is_listed_and_can_be_changed(admin_client: Client) -> None:
    trigger = a_trigger(RecordEffectAction())
    gone = ContentType.objects.create(app_label="legacy", model="oldtrigger")
    Trigger.objects.non_polymorphic().update(polymorphic_ctype=gone)
    assert "probe" in names_in(trigger_list(admin_client))
    values = form_values(admin_client.get(trigger_url(trigger))) | {"description": "changed"}
    assert admin_client.post(trigger_url(trigger), values).status_code == 302
    assert Trigger.objects.values_list("description", flat=True).get() == "changed"


def test_the_engine_is_chosen_from_those_there_are(admin_client: Client) -> None:
    trigger = a_trigger(RecordEffectAction())
    response = admin_client.get(trigger_url(trigger))
    assert response.context["adminform"].form.fields["engine"].choices == [
        ("", "default (celery)"),
        ("celery", "celery"),
        ("temporal", "temporal"),
    ]
    values = form_values(response)
    assert admin_client.post(trigger_url(trigger), values | {"engine": "celery"}).status_code == 302
    assert Trigger.objects.get().engine == "celery"
    assert "not one of the available choices" in text(
        admin_client.post(trigger_url(trigger), values | {"engine": "steam"})
    )


def test_a_trigger_leads_to_its_runs(admin_client: Client, ada: User) -> None:
    trigger = a_trigger(RecordEffectAction())
    a_trigger(RecordEffectAction(), name="other")
    fire(ProbeEvent, users=ada)
    link = reverse("admin:triggers_run_changelist") + f"?trigger__id__exact={trigger.pk}"
    assert link in admin_client.get(trigger_url(trigger)).content.decode()
    (run,) = run_list(admin_client, trigger__id__exact=trigger.pk).context["cl"].result_list
    assert run.trigger_name == "probe"


def test_a_trigger_leads_only_where_its_reader_may_go(client_with: Callable[..., Client]) -> None:
    trigger = a_trigger(RecordEffectAction())
    page = client_with("view_trigger").get(trigger_url(trigger)).content.decode()
    for name in ("run", "occurrence", "activity"):
        assert reverse(f"admin:triggers_{name}_changelist") not in page
    for name in ("fire", "explain"):
        assert reverse(f"admin:triggers_trigger_{name}", args=[trigger.pk]) not in page


def test_a_trigger_with_runs_is_deleted(admin_client: Client, ada: User) -> None:
    trigger = a_trigger(RecordEffectAction(), conditions=[ActionCountCondition()])
    run = fire(ProbeEvent, users=ada).runs.get()
    url = reverse("admin:triggers_trigger_delete", args=[trigger.pk])
    assert admin_client.get(url).status_code == 200
    assert admin_client.post(url, {"post": "yes"}).status_code == 302
    assert not Trigger.objects.exists()
    run.refresh_from_db()
