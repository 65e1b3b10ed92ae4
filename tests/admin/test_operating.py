"""Cancel, retry and replay: on a run's page, and for a selection in the list."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.acceptance.scenario import a_trigger, effects
from tests.admin.pages import history, messages, run_list, run_page, text
from tests.probe.models import ProbeEvent, RecordEffectAction, RefusingAction
from triggers import fire
from triggers.admin import narrative, operating
from triggers.models import ActionCountCondition, Activity, Event, Occurrence, Run, Trigger
from triggers.running import advance

pytestmark = pytest.mark.django_db

LIST = reverse("admin:triggers_run_changelist")


def operate_url(run: Run) -> str:
    return reverse("admin:triggers_run_operate", args=[run.pk])


def press(client: Client, operation: str, run: Run) -> list[str]:
    """Press the button on the run's page; return what the page says then."""
    assert operation in offered(client, run)
    return messages(client.post(operate_url(run), {"operation": operation}, follow=True))


def offered(client: Client, run: Run) -> list[str]:
    return [operation.name for operation in run_page(client, run).context["operations"]]


def choose(client: Client, action: str, *runs: Run) -> list[str]:
    """Choose the action for the runs in the list; return what the page says then."""
    data = {"action": action, "_selected_action": [run.pk for run in runs]}
    return messages(client.post(LIST, data, follow=True))


def pending(user: User) -> Run:
    return fire(ProbeEvent, users=user, delay=timedelta(days=1)).runs.get()


def advanced(user: User) -> Run:
    run = fire(ProbeEvent, users=user).runs.get()
    advance([run.pk])
    run.refresh_from_db()
    return run


def in_a_workers_hands(user: User) -> Run:
    run = pending(user)
    lease = {"token": uuid4(), "lease_until": timezone.now() + timedelta(minutes=5)}
    Run.objects.filter(pk=run.pk).update(status="running", due_at=None, **lease)
    run.refresh_from_db()
    return run


def state(run: Run) -> tuple[str, str]:
    run.refresh_from_db()
    return run.status, run.code


class TestCancel:
    def test_a_run_that_nobody_performs_is_cancelled(self, admin_client: Client, ada: User) -> None:
        a_trigger(RecordEffectAction())
        run = pending(ada)
        assert press(admin_client, "cancel", run) == ["1 run was cancelled."]
        assert state(run) == ("cancelled", "cancelled")
        assert history(run) == ["Cancelled."]

    def test_of_a_run_in_a_workers_hands_it_is_said_that_it_ends_later(self, admin_client: Client, ada: User) -> None:
        a_trigger(RecordEffectAction())
        run = in_a_workers_hands(ada)
        assert press(admin_client, "cancel", run) == ["1 run is in a worker’s hands: it ends before its next action."]
        assert history(run) == ["Cancelled while a worker was performing it."]
        run.refresh_from_db()
        asked = f"somebody asked on {narrative.moment(run.cancel_requested_at)} to cancel it."
        assert run_page(admin_client, run).context["story"] == (
            f"Running: {asked} A worker is performing it: it ends before its next action."
        )
        assert "running To be cancelled" in text(run_list(admin_client))
        Run.objects.update(status="waiting")
        assert run_page(admin_client, run).context["story"] == (
            f"Waiting: {asked} It ends as soon as a worker takes it up."
        )

    def test_of_a_selection_it_is_said_how_many_were_cancelled_and_why_others_were_not(
        self, admin_client: Client, ada: User
    ) -> None:
        a_trigger(RecordEffectAction())
        open_runs = [pending(ada), pending(ada)]
        ended = [advanced(ada), advanced(ada), advanced(ada)]
        held = in_a_workers_hands(ada)
        untouched = pending(ada)
        assert sorted(choose(admin_client, "cancel", *open_runs, *ended, held)) == [
            "1 run is in a worker’s hands: it ends before its next action.",
            "2 runs were cancelled.",
            "3 runs were left alone: they have ended already.",
        ]
        assert {state(run) for run in open_runs} == {("cancelled", "cancelled")}
        assert {state(run) for run in ended} == {("succeeded", "")}
        assert state(untouched) == ("pending", "")
        assert [len(history(run)) for run in (*open_runs, held, *ended, untouched)] == [1, 1, 1, 0, 0, 0, 0]


class TestRetry:
    def test_a_failed_run_goes_on(self, admin_client: Client, ada: User) -> None:
        trigger = a_trigger(RecordEffectAction(label="first"), RefusingAction())
        run = advanced(ada)
        assert state(run) == ("failed", "action_failed")
        assert press(admin_client, "retry", run) == ["1 run is tried again."]
        assert state(run) == ("waiting", "")
        assert history(run) == ["Tried again."]
        RefusingAction.objects.all().delete()
        RecordEffectAction.objects.create(trigger=trigger, label="second", position=2)
        advance([run.pk])
        assert state(run) == ("succeeded", "")
        assert effects() == {"first": 1, "second": 1}

    def test_of_a_selection_it_is_said_how_many_are_tried_again_and_why_others_are_not(
        self, admin_client: Client, ada: User
    ) -> None:
        failing = a_trigger(RefusingAction())
        failed = [advanced(ada), advanced(ada)]
        failing.delete()
        trigger = a_trigger(RecordEffectAction())
        succeeded, waiting = advanced(ada), pending(ada)
        stopped = advanced(ada)
        Run.objects.filter(pk=stopped.pk).update(status="cancelled", code="trigger_disabled")
        assert trigger.is_enabled
        assert sorted(choose(admin_client, "retry", *failed, succeeded, waiting, stopped)) == [
            "2 runs were left alone: they neither failed nor were stopped because their trigger was disabled.",
            "3 runs are tried again.",
        ]
        assert [len(history(run)) for run in (*failed, stopped, succeeded, waiting)] == [1, 1, 1, 0, 0]


class TestReplay:
    def test_the_event_is_fired_again_and_the_two_runs_lead_to_each_other(
        self, admin_client: Client, admin_user: User, ada: User
    ) -> None:
        a_trigger(RecordEffectAction())
        run = advanced(ada)
        assert press(admin_client, "replay", run) == ["1 run was replayed."]
        again = Run.objects.get(replay_of=run)
        assert again.occurrence.fired_by == admin_user
        assert history(run) == [f"Replayed as run {again.pk}."]
        for here, there in ((run, again), (again, run)):
            link = reverse("admin:triggers_run_change", args=[there.pk])
            assert f'href="{link}"' in run_page(admin_client, here).content.decode()

    def test_of_a_selection_it_is_said_how_many_were_replayed_and_why_others_were_not(
        self, admin_client: Client, ada: User, bob: User
    ) -> None:
        kept = a_trigger(RecordEffectAction(), name="kept")
        fine = [advanced(ada), advanced(ada)]
        waiting = pending(ada)
        without_user = advanced(bob)
        Activity.objects.filter(user=bob).delete()
        User.objects.filter(pk=bob.pk)._raw_delete("default")
        Trigger.objects.filter(pk=kept.pk).update(is_enabled=False)
        disabled = a_trigger(RecordEffectAction(), name="disabled")
        of_disabled = advanced(ada)
        Trigger.objects.filter(pk=disabled.pk).update(is_enabled=False)
        removed = a_trigger(RecordEffectAction(), name="removed")
        of_removed = advanced(ada)
        removed.events.get().delete()
        Trigger.objects.filter(pk=kept.pk).update(is_enabled=True)
        occurrences = Occurrence.objects.count()
        assert sorted(choose(admin_client, "replay", *fine, waiting, without_user, of_disabled, of_removed)) == [
            "1 run was not replayed: it has not ended yet.",
            "1 run was not replayed: its event was removed from the trigger.",
            "2 runs were not replayed: their triggers are not enabled or not complete, their events are set to leave "
            "them out, or their users are gone.",
            "2 runs were replayed.",
        ]
        assert set(Run.objects.exclude(replay_of=None).values_list("replay_of", flat=True)) == {r.pk for r in fine}
        assert Occurrence.objects.count() == occurrences + 2
        assert [len(history(run)) for run in (*fine, waiting, without_user, of_disabled, of_removed)] == [
            *(1, 1),
            *(0, 0, 0, 0),
        ]

    def test_an_event_whose_class_is_not_installed_is_not_replayed(self, admin_client: Client, ada: User) -> None:
        a_trigger(RecordEffectAction())
        run = advanced(ada)
        gone = ContentType.objects.create(app_label="legacy", model="forgotten")
        events: Any = Event.objects
        events.non_polymorphic().update(polymorphic_ctype=gone)
        Occurrence.objects.update(type="legacy.Forgotten")
        assert press(admin_client, "replay", run) == ["1 run was not replayed: its event was removed from the trigger."]

    def test_a_replay_that_its_conditions_keep_out_is_there_and_says_why(self, admin_client: Client, ada: User) -> None:
        a_trigger(RecordEffectAction(), conditions=[ActionCountCondition(limit=1)])
        run = advanced(ada)
        assert press(admin_client, "replay", run) == ["1 run was replayed."]
        assert state(Run.objects.get(replay_of=run)) == ("skipped", "limit_reached")


def test_what_is_of_use_is_offered(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction())
    run = pending(ada)
    assert offered(admin_client, run) == ["cancel"]
    for fields, expected in (
        ({"status": "running"}, ["cancel"]),
        ({"status": "waiting"}, ["cancel"]),
        ({"status": "succeeded"}, ["replay"]),
        ({"status": "skipped", "code": "limit_reached"}, ["replay"]),
        ({"status": "failed", "code": "action_failed"}, ["retry", "replay"]),
        ({"status": "cancelled", "code": "trigger_disabled"}, ["retry", "replay"]),
        ({"status": "cancelled", "code": "cancelled"}, ["replay"]),
    ):
        Run.objects.update(**fields)
        assert offered(admin_client, run) == expected
        for name in expected:
            assert f'value="{name}"' in run_page(admin_client, run).content.decode()


def test_what_is_not_of_use_does_nothing_and_says_why(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction())
    run = advanced(ada)
    response = admin_client.post(operate_url(run), {"operation": "cancel"}, follow=True)
    assert messages(response) == ["1 run was left alone: it has ended already."]
    assert state(run) == ("succeeded", "")
    assert history(run) == []


def test_what_was_done_is_in_the_history_of_the_run(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction())
    run = pending(ada)
    press(admin_client, "cancel", run)
    link = reverse("admin:triggers_run_history", args=[run.pk])
    assert f'href="{link}"' in run_page(admin_client, run).content.decode()
    assert "admin Cancelled." in text(admin_client.get(link))


def test_a_selection_of_more_runs_than_can_be_done_at_a_time_is_refused(
    admin_client: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operating, "MAX_RUNS", 2)
    a_trigger(RecordEffectAction())
    runs = [pending(ada) for _ in range(3)]
    assert choose(admin_client, "cancel", *runs) == ["Nothing was done: select at most 2 runs at a time."]
    assert {state(run) for run in runs} == {("pending", "")}
    assert choose(admin_client, "cancel", *runs[:2]) == ["2 runs were cancelled."]


@pytest.mark.parametrize("operation", ["cancel", "retry", "replay"])
def test_who_may_only_look_is_not_offered_anything_and_refused(
    client_with: Callable[..., Client], ada: User, operation: str
) -> None:
    a_trigger(RefusingAction())
    runs = [pending(ada), advanced(ada)]
    client = client_with("view_run", "change_trigger", "fire_event", "explain_event")
    assert run_list(client).context["action_form"] is None
    choose(client, operation, *runs)
    for run in runs:
        assert offered(client, run) == []
        assert client.post(operate_url(run), {"operation": operation}).status_code == 403
    assert [state(run)[0] for run in runs] == ["pending", "failed"]
    assert Run.objects.count() == 2


def test_who_may_operate_runs_may_do_all_three(client_with: Callable[..., Client], ada: User) -> None:
    a_trigger(RefusingAction())
    open_run, failed = pending(ada), advanced(ada)
    client = client_with("view_run", "operate_run")
    choices = dict(run_list(client).context["action_form"].fields["action"].choices)
    assert [choices[name] for name in ("cancel", "retry", "replay")] == ["Cancel", "Try again", "Replay"]
    assert "delete_selected" not in choices
    assert press(client, "cancel", open_run) == ["1 run was cancelled."]
    assert press(client, "replay", failed) == ["1 run was replayed."]
    assert press(client, "retry", failed) == ["1 run is tried again."]


def test_who_may_operate_runs_but_not_see_them_is_refused(client_with: Callable[..., Client], ada: User) -> None:
    a_trigger(RecordEffectAction())
    run = pending(ada)
    client = client_with("operate_run")
    assert client.post(operate_url(run), {"operation": "cancel"}).status_code == 403
    assert state(run) == ("pending", "")


def test_it_takes_a_form_of_this_site(admin_client: Client, admin_user: User, ada: User) -> None:
    a_trigger(RecordEffectAction())
    run = pending(ada)
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(operate_url(run), {"operation": "cancel"}).status_code == 403
    assert admin_client.get(operate_url(run)).status_code == 405
    assert state(run) == ("pending", "")


def test_what_does_not_exist_is_not_found(admin_client: Client, ada: User) -> None:
    a_trigger(RecordEffectAction())
    run = pending(ada)
    assert admin_client.post(operate_url(run), {"operation": "explode"}).status_code == 404
    for key in (uuid4(), "nonsense"):
        url = reverse("admin:triggers_run_operate", args=[key])
        assert admin_client.post(url, {"operation": "cancel"}).status_code == 404
