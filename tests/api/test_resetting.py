"""``POST activities/{id}/reset/``: the ledger of one trigger and user begins anew."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, database, invalid, problem
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers import fire
from triggers.models import ActionCountCondition, ActionFrequencyCondition, Activity
from triggers.running import advance

pytestmark = pytest.mark.django_db


@pytest.fixture
def resetter(client_with: StartClient) -> APIClient:
    return client_with("reset_activity", username="resetter")


@pytest.fixture
def activity(anna: User) -> Activity:
    """A trigger has acted on Anna, and may not again."""
    limits = [ActionCountCondition(limit=1), ActionFrequencyCondition(limit=timedelta(days=1))]
    a_trigger(RecordEffectAction(), conditions=limits)
    return act(anna, "succeeded")


def act(user: User, status: str) -> Activity:
    run = fire(ProbeEvent, users=user).runs.get()
    advance([run.pk])
    run.refresh_from_db()
    assert run.status == status, run.detail
    return Activity.objects.get()


def url(activity: Activity) -> str:
    return f"/api/v1/activities/{activity.pk}/reset/"


def test_the_trigger_acts_again_as_if_it_never_had(resetter: APIClient, anna: User, activity: Activity) -> None:
    act(anna, "skipped")

    response = resetter.post(url(activity))

    assert response.status_code == 200
    assert response.json() == {
        "id": activity.pk,
        "trigger": activity.trigger_id,
        "user": str(anna.pk),
        "action_count": 0,
        "last_action_datetime": None,
    }
    again = act(anna, "succeeded")
    assert again.action_count == 1
    assert again.last_action_datetime is not None
    assert again.last_action_datetime > timezone.now() - timedelta(minutes=1)


def test_an_unknown_entry_is_not_found(resetter: APIClient, activity: Activity) -> None:
    before = database()

    for id in ("987654", "0", str(2**63), "9" * 400, "-1", "first"):
        response = resetter.post(f"/api/v1/activities/{id}/reset/")
        assert_problem(response, problem(404, "not_found", "Not found."))
    assert database() == before


def test_resetting_needs_a_permission(client_with: StartClient, activity: Activity) -> None:
    client = client_with("view_activity", "change_activity", "operate_run")
    before = database()

    response = client.post(url(activity))

    detail = "To reset activities you need the permission triggers.reset_activity."
    assert_problem(response, problem(403, "permission_denied", detail))
    detail = "Authentication credentials were not provided."
    assert_problem(APIClient().post(url(activity)), problem(401, "not_authenticated", detail))
    assert database() == before


def test_resetting_takes_a_post_without_a_body(resetter: APIClient, activity: Activity) -> None:
    before = database()

    response = resetter.post(url(activity), {"action_count": 5}, format="json")

    detail = "There is no such field; none is taken."
    assert_problem(response, invalid(("/action_count", "unknown_field", detail)))
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS"):
        response = resetter.generic(method, url(activity))
        assert_problem(response, problem(405, "method_not_allowed", f'Method "{method}" not allowed.'))
    assert database() == before


def test_users_are_named_by_the_field_of_the_project(resetter: APIClient, activity: Activity, settings: object) -> None:
    settings.TRIGGERS_API_USER_FIELD = "username"  # type: ignore[attr-defined]

    assert resetter.post(url(activity)).json()["user"] == "anna"
