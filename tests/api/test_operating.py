"""``cancel/``, ``retry/`` and ``replay/`` of runs, ``cancel/`` of occurrences: what is done, and what is refused."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger, people
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, database, invalid, problem
from tests.api.records import performed_run, run_as_json, url
from tests.probe.models import ProbeEvent, RecordEffectAction, RefusingAction
from triggers import fire
from triggers.expansion import expand
from triggers.models import Activity, AudienceChunk, Event, Occurrence, Run, Step, Trigger
from triggers.running import advance, cancel, operating

pytestmark = pytest.mark.django_db

TYPE = "app.TaskCompletedEvent"
UNKNOWN = "0193b3f0-0000-7000-8000-000000000000"
OPERATIONS = [f"runs/{UNKNOWN}/cancel", f"runs/{UNKNOWN}/retry", f"runs/{UNKNOWN}/replay"]
OPERATIONS.append(f"occurrences/{UNKNOWN}/cancel")


@pytest.fixture
def operator(client_with: StartClient) -> APIClient:
    return client_with("operate_run", username="operator")


def operate(client: APIClient, record: Run | Occurrence, operation: str) -> Any:
    return client.post(f"{url(record)}{operation}/")


def in_a_workers_hands(run: Run) -> None:
    lease_until = timezone.now() + timedelta(minutes=1)
    Run.objects.filter(pk=run.pk).update(status="running", token=uuid4(), lease_until=lease_until)


def test_an_open_run_is_cancelled(operator: APIClient, anna: User, trigger: Trigger) -> None:
    run = fire(TYPE, users=anna, delay=timedelta(days=1)).runs.get()

    response = operate(operator, run, "cancel")

    run.refresh_from_db()
    assert (run.status, run.code) == ("cancelled", "cancelled")
    assert response.status_code == 202
    assert response.headers["Location"] == url(run)
    assert response.json() == run_as_json(run, [])


def test_a_run_in_a_workers_hands_is_asked_to_end(operator: APIClient, anna: User, trigger: Trigger) -> None:
    run = fire(TYPE, users=anna).runs.get()
    in_a_workers_hands(run)

    response = operate(operator, run, "cancel")

    run.refresh_from_db()
    assert response.status_code == 202
    assert (run.status, run.cancel_requested_at is None) == ("running", False)
    assert response.json() == run_as_json(run, [])


@pytest.mark.parametrize("action", [RecordEffectAction, RefusingAction])
def test_a_run_that_has_ended_is_not_cancelled(operator: APIClient, anna: User, action: Any) -> None:
    run = performed_run(action(), user=anna)
    before = database()

    response = operate(operator, run, "cancel")

    assert_problem(response, problem(409, "run_ended", "The run has ended already."))
    assert database() == before


def test_a_failed_run_goes_on_at_the_step_that_failed(operator: APIClient, anna: User) -> None:
    run = performed_run(RecordEffectAction(), RefusingAction(), user=anna)
    assert run.status == "failed"

    response = operate(operator, run, "retry")

    run.refresh_from_db()
    assert response.status_code == 202
    assert response.headers["Location"] == url(run)
    assert (run.status, run.code, run.position) == ("waiting", "", 1)
    steps = response.json().pop("steps")
    assert response.json() | {"steps": []} == run_as_json(run, [])
    assert [(step["status"], step["attempts"]) for step in steps] == [("succeeded", 1), ("waiting", 0)]


def test_a_run_that_its_trigger_stopped_is_tried_again(operator: APIClient, anna: User) -> None:
    a_trigger(RecordEffectAction())
    run = fire(ProbeEvent, users=anna).runs.get()
    Run.objects.filter(pk=run.pk).update(status="cancelled", code="trigger_disabled", next_handover_at=None)

    assert operate(operator, run, "retry").status_code == 202

    advance([run.pk])
    run.refresh_from_db()
    assert run.status == "succeeded"


def test_what_neither_failed_nor_was_stopped_is_not_tried_again(operator: APIClient, anna: User) -> None:
    succeeded = performed_run(RecordEffectAction(), user=anna)
    cancelled, pending = (fire(ProbeEvent, users=anna).runs.get() for _ in range(2))
    cancel([cancelled.pk])
    before = database()

    for run in (succeeded, cancelled, pending):
        response = operate(operator, run, "retry")

        detail = "The run neither failed nor was stopped because its trigger was disabled."
        assert_problem(response, problem(409, "run_not_retriable", detail))
    assert database() == before


def test_a_replayed_run_is_a_new_one_that_points_at_the_old(operator: APIClient, anna: User) -> None:
    run = performed_run(RefusingAction(), user=anna)
    before = run_as_json(run)

    response = operate(operator, run, "replay")

    new = Run.objects.exclude(pk=run.pk).get()
    assert response.status_code == 202
    assert response.headers["Location"] == url(new)
    assert response.json() == run_as_json(new, [])
    assert (new.replay_of_id, new.user, new.status) == (run.pk, anna, "pending")
    occurrence = new.occurrence
    assert (occurrence.source, occurrence.fired_by) == ("replay", User.objects.get(username="operator"))
    run.refresh_from_db()
    assert run_as_json(run) == before


def test_a_run_whose_event_was_removed_is_not_replayed(operator: APIClient, anna: User) -> None:
    run = performed_run(RecordEffectAction(), user=anna)
    Event.objects.get().delete()
    before = database()

    response = operate(operator, run, "replay")

    detail = "The event of the run was removed from its trigger."
    assert_problem(response, problem(409, "event_removed", detail))
    assert database() == before


def test_a_run_whose_event_type_is_gone_is_not_replayed(operator: APIClient, anna: User) -> None:
    run = performed_run(RecordEffectAction(), user=anna)
    Occurrence.objects.update(type="gone.GoneEvent")

    response = operate(operator, run, "replay")

    assert_problem(response, problem(409, "event_removed", "The event of the run was removed from its trigger."))
    assert Occurrence.objects.count() == 1


def test_a_run_that_has_not_ended_is_not_replayed(operator: APIClient, anna: User, trigger: Trigger) -> None:
    run = fire(TYPE, users=anna).runs.get()
    before = database()

    response = operate(operator, run, "replay")

    assert_problem(response, problem(409, "run_open", "The run has not ended yet: cancel it first."))
    assert database() == before


def test_a_replay_that_would_start_nothing_is_refused_with_the_reason(operator: APIClient, anna: User) -> None:
    run = performed_run(RecordEffectAction(), user=anna)
    Trigger.objects.update(is_enabled=False)
    before = database()

    response = operate(operator, run, "replay")

    detail = "Nothing would start. The trigger “probe” is not enabled."
    assert_problem(response, problem(409, "nothing_to_start", detail))
    assert database() == before


def test_a_replay_for_a_user_who_is_gone_is_refused(operator: APIClient, anna: User) -> None:
    run = performed_run(RecordEffectAction(), user=anna)
    Activity.objects.all().delete()
    User.objects.filter(pk=anna.pk)._raw_delete("default")  # runs have no constraint: their user may be gone
    before = database()

    response = operate(operator, run, "replay")

    detail = "Nothing would start. The user or the trigger is gone."
    assert_problem(response, problem(409, "nothing_to_start", detail))
    assert database() == before


def test_the_open_runs_of_an_occurrence_are_cancelled(
    operator: APIClient, trigger: Trigger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operating, "BATCH", 2)
    users = people(7)
    occurrence = fire(TYPE, users=users)
    other = fire(TYPE, users=users[0]).runs.get()
    held, ended, *others = occurrence.runs.order_by("pk")
    in_a_workers_hands(held)
    Run.objects.filter(pk=ended.pk).update(status="succeeded")

    response = operate(operator, occurrence, "cancel")

    assert response.status_code == 202
    assert response.headers["Location"] == url(occurrence)
    body = response.json()
    assert (body["id"], sum(body["run_counts"].values()), body["context"]) == (str(occurrence.pk), 7, None)
    statuses = {run["id"]: run["status"] for run in body["runs"]}
    expected = {str(held.pk): "running", str(ended.pk): "succeeded"}
    assert statuses == expected | {str(run.pk): "cancelled" for run in others}
    held.refresh_from_db()
    assert held.cancel_requested_at is not None
    other.refresh_from_db()
    assert (other.status, other.cancel_requested_at) == ("pending", None)


def test_of_a_cancelled_occurrence_nobody_gets_a_run_any_more(operator: APIClient, trigger: Trigger) -> None:
    people(2)
    occurrence = fire(TYPE, audience="all")
    (chunk,) = AudienceChunk.objects.all()

    response = operate(operator, occurrence, "cancel")

    assert response.status_code == 202
    expand(chunk.pk)
    assert not Run.objects.exists()
    assert not AudienceChunk.objects.filter(done_at=None).exists()


def test_an_occurrence_without_open_runs_stays_as_it_is(operator: APIClient, anna: User) -> None:
    run = performed_run(RecordEffectAction(), user=anna)
    before = database()

    assert operate(operator, run.occurrence, "cancel").status_code == 202
    assert database() == before


def test_errors_are_hidden_from_operators_as_from_readers(
    operator: APIClient, client_with: StartClient, anna: User
) -> None:
    run = performed_run(RefusingAction(), user=anna)
    Step.objects.update(error_message="secret")

    assert operate(operator, run, "retry").json()["steps"][0]["error_message"] == (
        "hidden: needs the permission triggers.view_context"
    )
    Run.objects.update(status="failed")
    seeing = client_with("operate_run", "view_context", username="seeing")
    assert operate(seeing, run, "retry").json()["steps"][0]["error_message"] == "secret"


@pytest.mark.parametrize("path", OPERATIONS)
def test_an_unknown_record_is_not_found(operator: APIClient, path: str) -> None:
    assert_problem(operator.post(f"/api/v1/{path}/"), problem(404, "not_found", "Not found."))


@pytest.mark.parametrize("path", OPERATIONS)
def test_operating_needs_a_permission(client_with: StartClient, path: str) -> None:
    client = client_with("view_run", "view_occurrence", "change_run", "change_occurrence", "fire_event")

    response = client.post(f"/api/v1/{path}/")

    detail = "To cancel, retry and replay runs you need the permission triggers.operate_run."
    assert_problem(response, problem(403, "permission_denied", detail))


@pytest.mark.parametrize("path", OPERATIONS)
def test_operating_is_for_those_who_are_known(db: None, path: str) -> None:
    response = APIClient().post(f"/api/v1/{path}/")

    detail = "Authentication credentials were not provided."
    assert_problem(response, problem(401, "not_authenticated", detail))


@pytest.mark.parametrize("path", OPERATIONS)
def test_operating_takes_a_post(operator: APIClient, path: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
        response = operator.generic(method, f"/api/v1/{path}/")

        assert_problem(response, problem(405, "method_not_allowed", f'Method "{method}" not allowed.'))
        assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize("operation", ["cancel", "retry", "replay"])
def test_a_body_that_asks_for_more_is_refused(
    operator: APIClient, anna: User, trigger: Trigger, operation: str
) -> None:
    run = fire(TYPE, users=anna).runs.get()
    before = database()

    response = operator.post(f"{url(run)}{operation}/", {"steps": [1]}, format="json")

    assert_problem(response, invalid(("/steps", "unknown_field", "There is no such field; none is taken.")))
    assert operator.post(f"{url(run)}{operation}/", "[]", content_type="application/json").status_code == 400
    assert operator.post(f"{url(run)}{operation}/", "a=1", content_type="text/plain").status_code == 415
    assert database() == before
    assert operator.post(f"{url(run)}cancel", {}, format="json").status_code == 202
