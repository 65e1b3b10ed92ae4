from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.acceptance.scenario import a_trigger
from tests.admin.pages import queries_of, run_list, run_page, runs_in, text
from tests.probe.models import (
    AwaitAction,
    FlakyAction,
    KeepAction,
    ProbeEvent,
    RecordEffectAction,
    RefusingAction,
    StopAction,
    UsernameCondition,
    WaitAction,
)
from triggers import fire, waking
from triggers.admin import narrative
from triggers.admin.paging import BoundedPaginator
from triggers.ids import uuid7
from triggers.models import Action, ActionCountCondition, Activity, Event, Occurrence, Run, Step, Trigger
from triggers.running import advance

pytestmark = pytest.mark.django_db

LIST = reverse("admin:triggers_run_changelist")


def run_for(user: User, *, again: int = 1, context: Any = None) -> Run:
    """Fire the event for the user, advance the run that often, and return it."""
    run = fire(ProbeEvent, users=user, context=context or {}).runs.get()
    for _ in range(again):
        take_further(run)
    run.refresh_from_db()
    return run


def take_further(run: Run) -> None:
    """Advance the run, whatever it waits for."""
    Run.objects.filter(pk=run.pk).update(due_at=None)
    advance([run.pk])


def story(client: Client, run: Run) -> str:
    response = run_page(client, run)
    assert response.context["story"] in text(response)
    return str(response.context["story"])


def test_a_skipped_run_says_what_was_required_and_what_observed(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction(), conditions=[ActionCountCondition(limit=1)])
    run_for(ada)
    run = run_for(ada)
    assert story(admin_client, run) == (
        "Skipped: the condition “action count no more than 1” does not hold. "
        "Required: at most 1 time for each person, observed: 1 time so far."
    )
    page = text(run_list(admin_client))
    assert "skipped “action count no more than 1” does not hold: 1 time so far 0" in page


def test_a_condition_that_observes_nothing_is_named_all_the_same(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction(), conditions=[UsernameCondition(prefix="z")])
    run = run_for(ada)
    assert story(admin_client, run) == "Skipped: The condition “username condition” does not hold."
    assert "“username condition” does not hold" in text(run_list(admin_client))


def test_a_succeeded_run_says_what_was_done(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction(), RecordEffectAction())
    assert story(admin_client, run_for(ada)) == "Succeeded: 2 actions were performed."


def test_a_stopped_run_says_why(admin_client: Client, ada: User) -> None:
    a_trigger(StopAction(), RecordEffectAction())
    assert story(admin_client, run_for(ada)) == "Succeeded: an action ended the run early: that is enough"


def test_a_failed_run_says_which_action_failed_and_shows_its_steps(
    admin_client: Client, ada: User, tmp_path: Path
) -> None:
    a_trigger(RecordEffectAction(), FlakyAction(folder=str(tmp_path), fail_times=1), RefusingAction())
    run = run_for(ada, again=2)
    assert story(admin_client, run) == (
        "Failed: The action “refusing action” failed after 1 of 3 attempts (PermanentError)."
    )
    page = text(run_page(admin_client, run))
    assert "1. Record effect action succeeded 1 " in page
    assert "2. Flaky action succeeded 2 " in page
    assert "An earlier attempt failed. RuntimeError: attempt 1 fails" in page
    assert "3. Refusing action failed 1 " in page
    assert "raise PermanentError" in page  # the traceback
    assert "failed An action failed 2 of 3" in text(run_list(admin_client))


def test_a_waiting_run_says_what_it_waits_for(admin_client: Client, ada: User, tmp_path: Path) -> None:
    a_trigger(WaitAction(seconds=3600), FlakyAction(folder=str(tmp_path)))
    run = run_for(ada, again=0)
    assert story(admin_client, run) == "Pending: the next free worker takes it further."
    advance([run.pk])
    run.refresh_from_db()
    assert story(admin_client, run) == f"Waiting: it goes on, on {narrative.moment(run.due_at)}."
    assert f"until {narrative.moment(run.due_at)}" in text(run_list(admin_client))
    take_further(run)
    Run.objects.update(due_at=timezone.now() + timedelta(hours=1))
    run.refresh_from_db()
    assert story(admin_client, run) == (
        f"Waiting: an action failed and is tried again on {narrative.moment(run.due_at)}."
    )
    Run.objects.update(status="running")
    assert story(admin_client, run) == "Running: a worker is performing it."


def test_a_delayed_run_says_when_it_starts(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction())
    run = fire(ProbeEvent, users=ada, delay=timedelta(days=1)).runs.get()
    assert story(admin_client, run) == f"Pending: it starts on {narrative.moment(run.due_at)}."


@pytest.mark.parametrize("code", [*narrative.REASONS, "whatever_comes_next"])
def test_every_code_has_words(admin_client: Client, ada: User, code: str) -> None:
    a_trigger(RecordEffectAction())
    run = run_for(ada)
    Run.objects.update(status="cancelled", code=code, detail="", decision=None)
    words = narrative.reason_for_code(code)
    assert "_" not in words
    assert words in text(run_list(admin_client)).lower()
    assert words.split()[0] in story(admin_client, run)


def test_details_of_errors_and_contexts_are_for_those_who_may_see_them(
    admin_client: Client, client_with: Callable[..., Client], ada: User
) -> None:
    a_trigger(RefusingAction())
    run = run_for(ada, context={"order": "A-17", "at": datetime(2026, 1, 31, 9, tzinfo=UTC), "items": [1]})
    page = text(run_page(admin_client, run))
    assert "PermanentError: it will never work" in page
    assert "in perform" in page  # the traceback
    assert "order A-17" in page
    assert f"at {narrative.moment(datetime(2026, 1, 31, 9, tzinfo=UTC))}" in page
    assert "items [ 1 ]" in page

    client = client_with("view_run")
    for response in (run_page(client, run), run_list(client)):
        for secret in ("A-17", "never work", "in perform"):
            assert secret not in text(response)
    page = text(run_page(client, run))
    assert "PermanentError. Its message is hidden: your account may not see the details of errors." in page
    assert "Hidden: your account may not see contexts." in page


def test_what_an_action_has_kept_is_shown_to_those_who_may_see_contexts(
    admin_client: Client, client_with: Callable[..., Client], ada: User
) -> None:
    a_trigger(KeepAction())
    run = run_for(ada, context={"number": "seven <b>"})
    page = text(run_page(admin_client, run))
    # PostgreSQL has an order of its own for the keys of an object.
    assert "What came of it number seven <b> at null" in page or "What came of it at null number seven <b>" in page
    assert "seven" not in text(run_page(client_with("view_run"), run))


def test_what_people_wrote_is_shown_as_text(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction(), name="<b>bold</b>")
    run = run_for(ada, context={"<i>": "<script>alert(1)</script>"})
    Run.objects.update(detail="<u>under</u>")
    for response in (run_page(admin_client, run), run_list(admin_client)):
        page = response.content.decode()
        assert "&lt;b&gt;bold" in page
        assert not any(tag in page for tag in ("<b>bold", "<i>", "<script>alert", "<u>"))


def test_runs_cannot_be_added_changed_or_deleted(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction())
    run = run_for(ada)
    change = reverse("admin:triggers_run_change", args=[run.pk])
    delete = reverse("admin:triggers_run_delete", args=[run.pk])
    assert admin_client.get(reverse("admin:triggers_run_add")).status_code == 403
    assert admin_client.post(change, {"status": "failed"}).status_code == 403
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    admin_client.post(LIST, {"action": "delete_selected", "_selected_action": [run.pk], "post": "yes"})
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert 'type="submit" value="Save' not in run_page(admin_client, run).content.decode()


def test_a_user_with_runs_can_be_deleted_in_the_admin(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction())
    run_for(ada)
    url = reverse("admin:auth_user_delete", args=[ada.pk])
    assert "Yes, I’m sure" in admin_client.get(url).content.decode()
    assert admin_client.post(url, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=ada.pk).exists()


def test_runs_outlive_what_they_refer_to(admin_client: Client, ada: User) -> None:
    trigger = a_trigger(RecordEffectAction(), name="Praise")
    run = run_for(ada)
    Step.objects.update(type="legacy.ForgottenAction")
    Occurrence.objects.update(type="legacy.ForgottenEvent")
    trigger.delete()
    User.objects.filter(pk=ada.pk)._raw_delete("default")
    assert not Trigger.objects.exists()
    assert not Event.objects.exists()
    assert not Action.objects.exists()
    for page in (text(run_list(admin_client)), text(run_page(admin_client, run))):
        assert "Praise (deleted)" in page
        assert f"user {ada.pk} (deleted)" in page
        assert "“legacy.ForgottenEvent”, which is not installed" in page
    assert "“legacy.ForgottenAction”, which is not installed (no longer part of the trigger)" in page


def test_a_run_leads_to_its_trigger_its_user_and_the_other_runs_of_the_event(
    admin_client: Client, ada: User, bob: User
) -> None:
    trigger = a_trigger(RecordEffectAction())
    run_for(ada)
    runs = list(fire(ProbeEvent, users=[ada, bob]).runs.all())
    page = run_page(admin_client, runs[0]).content.decode()
    for name, pk in (("triggers_trigger", trigger.pk), ("auth_user", runs[0].user_id)):
        assert f'href="{reverse(f"admin:{name}_change", args=[pk])}"' in page
    assert f'href="{LIST}?occurrence={runs[0].occurrence_id}"' in page
    assert runs_in(run_list(admin_client, occurrence=runs[0].occurrence_id)) == set(runs)


def test_it_leads_only_where_its_reader_may_go(client_with: Callable[..., Client], ada: User) -> None:
    trigger = a_trigger(RecordEffectAction())
    run = run_for(ada)
    client = client_with("view_run")
    for response in (run_page(client, run), run_list(client)):
        page = response.content.decode()
        assert trigger.name in page
        for name, pk in (
            ("triggers_trigger", trigger.pk),
            ("auth_user", ada.pk),
            ("triggers_occurrence", run.occurrence_id),
        ):
            assert reverse(f"admin:{name}_change", args=[pk]) not in page


def test_runs_are_searched_by_id_user_and_trigger(admin_client: Client, ada: User, bob: User) -> None:
    first = a_trigger(RecordEffectAction(), name="Praise")
    a_trigger(RecordEffectAction(), name="Blame")
    fire(ProbeEvent, users=[ada, bob])
    runs = set(Run.objects.all())
    of_ada = {run for run in runs if run.user_id == ada.pk}
    of_first = {run for run in runs if run.trigger_id == first.pk}
    one = min(runs, key=lambda run: run.pk)

    def found(term: str) -> set[Run]:
        return runs_in(run_list(admin_client, q=term))

    assert len(runs) == 4
    assert found(str(one.pk)) == {one}
    assert found(one.pk.hex.upper()) == {one}
    assert found(str(uuid4())) == set()
    assert found("Ada") == found(" ADA@example.com ") == of_ada
    assert found("ad") == set()
    assert found("prai") == of_first
    assert found("nobody") == set()
    first.delete()
    assert found("prai") == of_first


def test_runs_are_filtered(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction(), conditions=[ActionCountCondition(limit=1)])
    succeeded, skipped = run_for(ada), run_for(ada)
    Run.objects.filter(pk=skipped.pk).update(engine="other")

    def found(**query: str) -> set[Run]:
        return runs_in(run_list(admin_client, **query))

    assert found(status__exact="skipped") == found(code="limit_reached") == {skipped}
    assert found(engine="celery") == {succeeded}
    assert found(trigger__id__exact=str(succeeded.trigger_id)) == {succeeded, skipped}


def test_runs_are_filtered_by_date(
    admin_client: Client, ada: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    a_trigger(RecordEffectAction())
    now = timezone.now()
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    ages = {
        "now": now,
        "at midnight": midnight,
        "yesterday": midnight - timedelta(milliseconds=1),
        "last week": midnight - timedelta(days=6),
        "last month": midnight - timedelta(days=29),
        "last year": midnight - timedelta(days=300),
    }
    named = {}
    for name, moment in ages.items():
        with monkeypatch.context() as patch:
            patch.setattr("triggers.ids.time.time_ns", lambda at=moment: int(at.timestamp() * 1000) * 1_000_000)
            pk = uuid7()
        run = run_for(ada, again=0)
        Run.objects.filter(pk=run.pk).update(id=pk)
        named[pk] = name

    def found(when: str) -> set[str]:
        return {named[run.pk] for run in runs_in(run_list(admin_client, when=when))}

    assert "now" in found("hour")
    assert not found("hour") & {"last week", "last month", "last year"}
    assert found("today") == {"now", "at midnight"}
    assert found("week") == {"now", "at midnight", "yesterday", "last week"}
    assert found("month") == set(ages) - {"last year"}
    assert found("nonsense") == set(ages)


def test_the_list_takes_as_many_queries_for_50_runs_as_for_5(admin_client: Client) -> None:
    a_trigger(RecordEffectAction())

    def add(count: int) -> None:
        for _ in range(count):
            user = User.objects.create_user(f"user{User.objects.count()}")
            run_for(user)
        Activity.objects.filter(user=user).delete()
        User.objects.filter(pk=user.pk)._raw_delete("default")

    add(5)
    for_5 = queries_of(admin_client, LIST)
    add(45)
    assert len(runs_in(run_list(admin_client))) == 50
    assert len(queries_of(admin_client, LIST)) == len(for_5)


def test_a_run_takes_as_many_queries_with_20_steps_as_with_2(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction(), RecordEffectAction(), name="short")
    a_trigger(*(RecordEffectAction() for _ in range(20)), name="long")
    fire(ProbeEvent, users=ada)
    advance(list(Run.objects.values_list("pk", flat=True)))
    counts = {
        run.steps_succeeded: len(queries_of(admin_client, reverse("admin:triggers_run_change", args=[run.pk])))
        for run in Run.objects.all()
    }
    assert counts.keys() == {2, 20}
    assert counts[2] == counts[20]


def test_rows_are_counted_up_to_a_bound_only(admin_client: Client, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedPaginator, "LIMIT", 3)
    a_trigger(RecordEffectAction())
    for _ in range(3):
        run_for(ada)
    assert "3 runs" in text(run_list(admin_client))
    assert "More than" not in text(run_list(admin_client))
    run_for(ada)
    assert "More than 3 match. The first 3 are listed" in text(run_list(admin_client))
    counting = [sql for sql in queries_of(admin_client, LIST) if "COUNT(" in sql]
    assert len(counting) == 1
    assert "LIMIT 4" in counting[0]


def waiting_run(user: User, **wait: Any) -> Run:
    a_trigger(AwaitAction(event_type="app.TaskCompletedEvent", **wait), RecordEffectAction())
    return run_for(user)


@pytest.mark.parametrize(
    ("wait", "sentence"),
    [
        ({}, "Waiting: it waits for “task completed”, until {} at the latest. It goes on then in any case."),
        (
            {"on_timeout": "stop", "matching": {"id": 7, "b": 1}},
            "Waiting: it waits for “task completed” with a certain b and id, until {} at the latest. It stops then.",
        ),
    ],
)
def test_a_run_says_which_event_it_waits_for_and_how_long(
    admin_client: Client, ada: User, wait: Any, sentence: str
) -> None:
    run = waiting_run(ada, **wait)
    assert story(admin_client, run) == sentence.format(narrative.moment(run.due_at))
    assert f"for “task completed”, until {narrative.moment(run.due_at)}" in text(run_list(admin_client))
    page = text(run_page(admin_client, run))
    assert "As it was when the run first waited, whatever was edited since." in page


def test_a_run_that_an_event_has_woken_leads_to_it(admin_client: Client, ada: User) -> None:
    run = waiting_run(ada)
    occurrence = fire("app.TaskCompletedEvent", users=ada)
    waking.look_for_runs(occurrence.pk)
    run.refresh_from_db()
    assert story(admin_client, run) == "Waiting: the next free worker takes it further."
    advance([run.pk])
    response = run_page(admin_client, run)
    assert "app.TaskCompletedEvent happened." in text(response)
    assert reverse("admin:triggers_occurrence_change", args=[occurrence.pk]) in response.content.decode()


def test_a_run_that_waited_in_vain_says_so(admin_client: Client, ada: User) -> None:
    run = waiting_run(ada, on_timeout="stop")
    assert run.due_at is not None
    advance([run.pk], now=run.due_at)
    run.refresh_from_db()
    assert story(admin_client, run) == "Succeeded: app.TaskCompletedEvent did not happen in time."
    assert "What it waited for did not happen in time" in text(run_list(admin_client))
