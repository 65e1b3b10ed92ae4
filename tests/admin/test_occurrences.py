from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.acceptance.scenario import a_trigger
from tests.admin.pages import queries_of, run_list, run_page, runs_in, text, trigger_url
from tests.app.models import ClockEvent
from tests.probe.models import ChainAction, PickyEvent, ProbeEvent, RecordEffectAction, UsernameCondition
from triggers import fire
from triggers.admin import narrative
from triggers.admin.paging import BoundedPaginator
from triggers.models import Event, Occurrence, Run, Trigger
from triggers.running import advance

pytestmark = pytest.mark.django_db

LIST = reverse("admin:triggers_occurrence_changelist")


def occurrence_list(client: Client, **query: Any) -> Any:
    return client.get(LIST, query)


def occurrences_in(response: Any) -> set[Occurrence]:
    return set(response.context["cl"].result_list)


def occurrence_page(client: Client, occurrence: Occurrence) -> Any:
    return client.get(reverse("admin:triggers_occurrence_change", args=[occurrence.pk]))


def story(client: Client, occurrence: Occurrence) -> str:
    response = occurrence_page(client, occurrence)
    assert response.context["story"] in text(response)
    return str(response.context["story"])


def test_it_says_what_was_fired_when_by_whom_and_for_whom_in_vain(admin_client: Client, ada: User, bob: User) -> None:
    a_trigger(RecordEffectAction())
    happened = timezone.now() - timedelta(days=1)
    occurrence = fire(
        ProbeEvent,
        users=[ada.pk, 998, 999],
        fired_by=bob,
        source="shop",
        key="order-17",
        occurred_at=happened,
        delay=timedelta(hours=1),
    )
    page = text(occurrence_page(admin_client, occurrence))
    for words in (
        "Event: Probe event (probe.ProbeEvent)",
        "Fired for: all triggers that use the event",
        f"Happened: {narrative.moment(happened)}",
        f"Recorded: {narrative.moment(occurrence.recorded_at)}",
        "Extra delay: 1 hour",
        "Fired by: bob",
        "Source: shop",
        "Key: order-17",
        "Unknown users: 998, 999",
    ):
        assert words in page
    assert "Caused by" not in page
    assert "Probe event bob, shop probe" in text(occurrence_list(admin_client))


def test_what_it_does_not_have_is_left_out(admin_client: Client, ada: User) -> None:
    page = text(occurrence_page(admin_client, fire(ProbeEvent, users=ada)))
    for label in ("Fired by:", "Source:", "Key:", "Caused by:", "Unknown users:", "Extra delay:"):
        assert label not in page


def test_of_many_unknown_users_the_first_are_named(admin_client: Client, ada: User) -> None:
    occurrence = fire(ProbeEvent, users=list(range(10_000, 10_150)))
    page = text(occurrence_page(admin_client, occurrence))
    assert "Unknown users: 10000, 10001," in page
    assert "10099 and 50 others" in page
    assert "10100" not in page


def test_it_says_for_each_trigger_what_came_of_it(admin_client: Client, ada: User) -> None:
    matched = a_trigger(RecordEffectAction(), name="matched")
    a_trigger(RecordEffectAction(), name="disabled", is_enabled=False)
    a_trigger(name="empty")
    occurrence = fire(ProbeEvent, users=ada)
    response = occurrence_page(admin_client, occurrence)
    assert story(admin_client, occurrence) == "The event matched the trigger “matched”."
    assert "matched Matched. Its runs" in text(response)
    assert "disabled The trigger is not enabled. –" in text(response)
    assert "empty The trigger has no action. –" in text(response)
    page = response.content.decode()
    assert f'href="{trigger_url(matched)}"' in page
    event = matched.events.get()
    assert f'href="{reverse("admin:triggers_run_changelist")}?occurrence={occurrence.pk}&amp;event={event.pk}"' in page
    assert runs_in(run_list(admin_client, occurrence=occurrence.pk, event=event.pk)) == set(Run.objects.all())


def test_an_event_that_matches_several_triggers_names_them(admin_client: Client, ada: User) -> None:
    for name in ("b", "a"):
        a_trigger(RecordEffectAction(), name=name)
    occurrence = fire(ProbeEvent, users=ada)
    assert story(admin_client, occurrence) == "The event matched the triggers “b” and “a”."
    assert "b, a" in text(occurrence_list(admin_client))


def test_an_event_that_starts_nothing_says_why(admin_client: Client, ada: User) -> None:
    def of(event_type: type[Event]) -> Occurrence:
        occurrence = fire(event_type, users=ada)
        words = story(admin_client, occurrence)
        assert words.startswith("Nothing was started: ")
        reason = words.removeprefix("Nothing was started: ")
        assert reason[0].upper() + reason[1:] in text(occurrence_list(admin_client))
        return occurrence

    assert story(admin_client, of(ProbeEvent)) == "Nothing was started: no trigger uses this event."
    trigger = a_trigger(RecordEffectAction(), event=PickyEvent(), name="picky")
    picky = of(PickyEvent)
    assert story(admin_client, picky) == (
        "Nothing was started: the event could not tell whether this concerns it. "
        "probe.PickyEvent.should_be_fired raised RuntimeError."
    )
    Trigger.objects.update(is_enabled=False)
    assert story(admin_client, of(PickyEvent)) == "Nothing was started: the trigger is not enabled."
    PickyEvent.objects.create(trigger=a_trigger(name="empty"))
    assert (
        story(admin_client, of(PickyEvent)) == "Nothing was started: no trigger that uses this event was ready for it."
    )
    trigger.delete()
    assert "picky (deleted)" in text(occurrence_page(admin_client, picky))


def test_a_chain_that_was_cut_says_so(admin_client: Client, ada: User, settings: Any) -> None:
    settings.TRIGGERS_MAX_DEPTH = 1
    a_trigger(ChainAction())
    first = fire(ProbeEvent, users=ada)
    for _ in range(2):
        advance(list(Run.objects.open().values_list("pk", flat=True)))
    _first, second, cut = Occurrence.objects.order_by("pk")
    assert story(admin_client, cut).startswith(
        "Nothing was started: too many events fired one another in a row. Events fired events 2 levels deep;"
    )
    cause = first.runs.get()
    link = reverse("admin:triggers_run_change", args=[cause.pk])
    assert f'<a href="{link}">probe {cause.pk}</a>' in occurrence_page(admin_client, second).content.decode()
    assert f'<a href="{link}">probe {cause.pk}</a>' in run_page(admin_client, second.runs.get()).content.decode()
    Run.objects.filter(pk=cause.pk).delete()
    assert "Caused by: a run that is not kept any more" in text(occurrence_page(admin_client, second))


def test_runs_are_counted_by_status_and_lead_to_the_runs(admin_client: Client, ada: User, bob: User) -> None:
    a_trigger(RecordEffectAction(), conditions=[UsernameCondition(prefix="a")])
    a_trigger(RecordEffectAction(), name="other")
    occurrence = fire(ProbeEvent, users=[ada, bob])
    response = occurrence_page(admin_client, occurrence)
    assert "Runs 3 pending 1 skipped" in text(response)
    link = f"{reverse('admin:triggers_run_changelist')}?occurrence={occurrence.pk}&amp;status__exact=pending"
    assert f'href="{link}"' in response.content.decode()
    pending = runs_in(run_list(admin_client, occurrence=occurrence.pk, status__exact="pending"))
    assert len(pending) == 3
    assert "There is none." in text(occurrence_page(admin_client, fire(ClockEvent, users=ada)))


def test_runs_are_counted_up_to_a_bound_only(admin_client: Client, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        a_trigger(RecordEffectAction(), name=name)
    occurrence = fire(ProbeEvent, users=ada)
    monkeypatch.setattr(BoundedPaginator, "LIMIT", 3)
    assert "3 pending" in text(occurrence_page(admin_client, occurrence))
    assert "There are more" not in text(occurrence_page(admin_client, occurrence))
    monkeypatch.setattr(BoundedPaginator, "LIMIT", 2)
    assert "There are more than 2 runs. Of those that were counted 3 pending" in text(
        occurrence_page(admin_client, occurrence)
    )
    url = reverse("admin:triggers_occurrence_change", args=[occurrence.pk])
    (counting,) = (sql for sql in queries_of(admin_client, url) if "COUNT(" in sql and "triggers_run" in sql)
    assert "LIMIT 3" in counting


def test_runs_that_a_worker_has_yet_to_make_are_told(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction())
    occurrence = fire(ProbeEvent, users=User.objects.all())
    assert "A worker has yet to make those of up to 1000 people." in text(occurrence_page(admin_client, occurrence))


def test_contexts_are_for_those_who_may_see_them(
    admin_client: Client, client_with: Callable[..., Client], ada: User
) -> None:
    occurrence = fire(ProbeEvent, users=ada, context={"order": "A-17", "at": datetime(2026, 1, 31, tzinfo=UTC)})
    page = text(occurrence_page(admin_client, occurrence))
    assert "order A-17" in page
    assert f"at {narrative.moment(datetime(2026, 1, 31, tzinfo=UTC))}" in page
    client = client_with("view_occurrence")
    for response in (occurrence_page(client, occurrence), occurrence_list(client)):
        assert "A-17" not in text(response)
    assert "Hidden: your account may not see contexts." in text(occurrence_page(client, occurrence))


def test_runs_are_not_offered_to_those_who_may_not_see_them(client_with: Callable[..., Client], ada: User) -> None:
    a_trigger(RecordEffectAction())
    occurrence = fire(ProbeEvent, users=ada)
    response = occurrence_page(client_with("view_occurrence"), occurrence)
    assert "1 pending" in text(response)
    assert reverse("admin:triggers_run_changelist") not in response.content.decode()
    assert trigger_url(Trigger.objects.get()) not in response.content.decode()


def test_occurrences_cannot_be_added_changed_or_deleted(admin_client: Client, ada: User) -> None:
    occurrence = fire(ProbeEvent, users=ada)
    change = reverse("admin:triggers_occurrence_change", args=[occurrence.pk])
    delete = reverse("admin:triggers_occurrence_delete", args=[occurrence.pk])
    assert admin_client.get(reverse("admin:triggers_occurrence_add")).status_code == 403
    assert admin_client.post(change, {"source": "forged"}).status_code == 403
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    admin_client.post(LIST, {"action": "delete_selected", "_selected_action": [occurrence.pk], "post": "yes"})
    occurrence.refresh_from_db()
    assert occurrence.source == ""


def test_what_people_wrote_is_shown_as_text(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction(), name="<b>bold</b>")
    occurrence = fire(ProbeEvent, users=ada, context={"<i>": "<script>alert(1)</script>"}, source="<u>", key="<s>")
    for response in (occurrence_page(admin_client, occurrence), occurrence_list(admin_client)):
        page = response.content.decode()
        assert "&lt;b&gt;bold" in page
        assert not any(tag in page for tag in ("<b>bold", "<i>", "<script>alert", "<u>", "<s>"))


def test_a_type_that_is_not_installed_is_named_by_its_label(admin_client: Client, ada: User) -> None:
    occurrence = fire(ProbeEvent, users=ada)
    Occurrence.objects.update(type="legacy.ForgottenEvent")
    for response in (occurrence_page(admin_client, occurrence), occurrence_list(admin_client)):
        assert "“legacy.ForgottenEvent”, which is not installed" in text(response)


def test_occurrences_are_searched_by_id_and_by_whom_they_happened_to(
    admin_client: Client, ada: User, bob: User
) -> None:
    a_trigger(RecordEffectAction())
    of_ada, of_bob, of_both = (fire(ProbeEvent, users=users) for users in ([ada], [bob], [ada, bob]))

    def found(term: str) -> set[Occurrence]:
        return occurrences_in(occurrence_list(admin_client, q=term))

    assert found(str(of_bob.pk)) == {of_bob}
    assert found("Ada") == found(" ADA@example.com ") == {of_ada, of_both}
    assert found("ad") == found("nobody") == set()


def test_occurrences_are_filtered_by_type_and_by_trigger(admin_client: Client, ada: User) -> None:
    first = a_trigger(RecordEffectAction(), name="first")
    second = a_trigger(RecordEffectAction(), name="second")
    other = a_trigger(RecordEffectAction(), event=ClockEvent(), name="other")
    of_type = fire(ProbeEvent, users=ada)
    of_second = fire(second.events.get(), users=ada)
    clock = fire(ClockEvent, users=ada)

    def found(**query: Any) -> set[Occurrence]:
        return occurrences_in(occurrence_list(admin_client, **query))

    assert found(type="probe.ProbeEvent") == {of_type, of_second}
    assert found(trigger=first.pk) == {of_type}
    assert found(trigger=second.pk) == {of_type, of_second}
    assert found(trigger=other.pk) == {clock}
    assert found(trigger="nonsense") == set()
    assert found(when="hour") == {of_type, of_second, clock}
    assert "Fired for: one trigger only" in text(occurrence_page(admin_client, of_second))


def test_a_trigger_and_a_run_lead_to_their_occurrences(admin_client: Client, ada: User) -> None:
    trigger = a_trigger(RecordEffectAction())
    occurrence = fire(ProbeEvent, users=ada)
    assert f'href="{LIST}?trigger={trigger.pk}"' in admin_client.get(trigger_url(trigger)).content.decode()
    page = reverse("admin:triggers_occurrence_change", args=[occurrence.pk])
    assert f'href="{page}"' in run_page(admin_client, occurrence.runs.get()).content.decode()


def test_the_list_takes_as_many_queries_for_50_occurrences_as_for_5(admin_client: Client) -> None:
    for name in ("a", "b"):
        a_trigger(RecordEffectAction(), name=name)

    def add(count: int) -> None:
        for _ in range(count):
            user = User.objects.create_user(f"user{User.objects.count()}")
            fire(ProbeEvent, users=user, fired_by=user)

    add(5)
    for_5 = queries_of(admin_client, LIST)
    add(45)
    assert len(occurrences_in(occurrence_list(admin_client))) == 50
    for_50 = queries_of(admin_client, LIST)
    assert len(for_50) == len(for_5)
    assert not any('"context"' in sql for sql in for_50)
    counting = [sql for sql in for_50 if "COUNT(" in sql]
    assert len(counting) == 1
    assert f"LIMIT {BoundedPaginator.LIMIT + 1}" in counting[0]


def test_an_occurrence_takes_as_many_queries_with_20_triggers_as_with_2(admin_client: Client, ada: User) -> None:
    def queries(count: int) -> int:
        for _ in range(count):
            a_trigger(RecordEffectAction(), name=f"trigger {Trigger.objects.count()}")
        occurrence = fire(ProbeEvent, users=ada)
        url = reverse("admin:triggers_occurrence_change", args=[occurrence.pk])
        return len(queries_of(admin_client, url))

    assert queries(2) == queries(18)
