"""The lists: what they tell, what their queries choose, how they are read page by page, and what they refuse."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger, people
from tests.api.conftest import StartClient
from tests.api.problems import assert_problem, problem
from tests.api.records import match, moment, run_as_json
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers import fire
from triggers.ids import first_uuid7
from triggers.models import Activity, Occurrence, Run, Trigger
from triggers.running import advance, cancel

pytestmark = pytest.mark.django_db

KINDS = pytest.mark.parametrize("kind", ["runs", "occurrences", "activities"])
TYPE = "app.TaskCompletedEvent"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOT_A_NUMBER = "Write a whole number from 0 to 9223372036854775807."
NOT_A_LIMIT = "Write a whole number from 1 to 100."
NOT_AN_ID = "Write an id as in 0193b3f0-0000-7000-8000-000000000000."
NOT_A_MOMENT = "Write a date and time as in 2026-01-31T09:00:00Z."
NO_OFFSET = "Add the offset from UTC, as in 2026-01-31T09:00:00Z."
NOT_A_STATUS = "Write one of pending, running, waiting, succeeded, skipped, failed, cancelled."
BLANK = "This field may not be blank."
NULL_CHARACTER = "The text holds the character U+0000."


@pytest.fixture
def lister(client_with: StartClient) -> APIClient:
    return client_with("view_occurrence", "view_run", "view_activity", username="lister")


def listed(client: APIClient, kind: str, **query: Any) -> list[str]:
    """The ids that the list answers."""
    response = client.get(f"/api/v1/{kind}/", query)
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


def ids(*records: Occurrence | Run) -> list[str]:
    return [str(record.pk) for record in records]


def made_at(record: Occurrence | Run, moment: datetime, field: str) -> None:
    """The record was written then; its id was made half an hour before."""
    id = first_uuid7(moment - timedelta(minutes=30))
    type(record)._base_manager.filter(pk=record.pk).update(**{"id": id, field: moment})


def test_runs_are_listed_newest_first(lister: APIClient, trigger: Trigger) -> None:
    first, second = fire(TYPE, users=people(2)).runs.order_by("pk")

    response = lister.get("/api/v1/runs/")

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {"next": None, "results": [run_as_json(second), run_as_json(first)]}


def test_occurrences_are_listed_newest_first_without_contexts_and_runs(lister: APIClient, trigger: Trigger) -> None:
    (anna,) = people(1)
    first = fire(TYPE, users=[anna, 987654], context={"a": 1}, delay=timedelta(seconds=1))
    second = fire(ProbeEvent, users=anna, source="shop")

    response = lister.get("/api/v1/occurrences/")

    assert response.status_code == 200
    assert response.json() == {
        "next": None,
        "results": [
            {
                "id": str(occurrence.pk),
                "type": type,
                "event": None,
                "source": source,
                "occurred_at": moment(occurrence.occurred_at),
                "recorded_at": moment(occurrence.recorded_at),
                "delay": delay,
                "cause": None,
                "depth": 0,
                "matched": matched,
                "skipped": [],
                "unknown_users": unknown_users,
                "code": "",
                "detail": "",
            }
            for occurrence, type, source, delay, matched, unknown_users in (
                (second, "probe.ProbeEvent", "shop", "P0DT00H00M00S", [], []),
                (first, TYPE, "", "P0DT00H00M01S", [match(trigger)], ["987654"]),
            )
        ],
    }


def test_activities_are_listed_newest_first(lister: APIClient, trigger: Trigger) -> None:
    anna, bert = people(2)
    other = Trigger.objects.create(name="Other")
    first = Activity.objects.create(trigger=trigger, user=anna, action_count=2, last_action_datetime=NOON)
    second = Activity.objects.create(trigger=other, user=bert)
    of_anna = {
        "id": first.pk,
        "trigger": trigger.pk,
        "user": str(anna.pk),
        "action_count": 2,
        "last_action_datetime": "2026-01-31T12:00:00Z",
    }
    of_bert = {
        "id": second.pk,
        "trigger": other.pk,
        "user": str(bert.pk),
        "action_count": 0,
        "last_action_datetime": None,
    }

    response = lister.get("/api/v1/activities/")

    assert response.status_code == 200
    assert response.json() == {"next": None, "results": [of_bert, of_anna]}
    for query, expected in [
        ({"trigger": trigger.pk}, [of_anna]),
        ({"user": bert.pk}, [of_bert]),
        ({"trigger": trigger.pk, "user": bert.pk}, []),
        ({"cursor": second.pk}, [of_anna]),
    ]:
        assert lister.get("/api/v1/activities/", query).json()["results"] == expected


@KINDS
def test_where_nothing_is_the_list_is_empty(lister: APIClient, kind: str) -> None:
    assert lister.get(f"/api/v1/{kind}/").json() == {"next": None, "results": []}


def test_runs_are_chosen_by_what_they_are(lister: APIClient, trigger: Trigger) -> None:
    anna, bert = people(2)
    other = a_trigger(RecordEffectAction())
    (of_anna, of_bert) = fire(TYPE, users=[anna, bert]).runs.order_by("pk")
    probe = fire(ProbeEvent, users=anna).runs.get()
    advance([probe.pk])
    cancel([of_bert.pk])

    assert listed(lister, "runs") == ids(probe, of_bert, of_anna)
    cases: list[tuple[dict[str, Any], list[Run]]] = [
        ({"trigger": trigger.pk}, [of_bert, of_anna]),
        ({"trigger": other.pk}, [probe]),
        ({"trigger": 987654}, []),
        ({"user": anna.pk}, [probe, of_anna]),
        ({"status": "pending"}, [of_anna]),
        ({"status": "succeeded"}, [probe]),
        ({"code": "cancelled"}, [of_bert]),
        ({"code": "cancelled "}, []),
        ({"type": TYPE}, [of_bert, of_anna]),
        ({"type": "nobody.DefinesIt"}, []),
        ({"occurrence": probe.occurrence_id}, [probe]),
        ({"occurrence": str(probe.occurrence_id).upper()}, [probe]),
        ({"user": anna.pk, "type": TYPE, "status": "pending"}, [of_anna]),
        ({"user": bert.pk, "status": "pending"}, []),
    ]
    for query, expected in cases:
        assert listed(lister, "runs", **query) == ids(*expected), query


def test_runs_are_chosen_by_when_they_were_made(lister: APIClient, trigger: Trigger) -> None:
    fire(TYPE, users=people(3))
    for hours, run in enumerate(Run.objects.order_by("pk")):
        made_at(run, NOON + timedelta(hours=hours), "created_at")
    runs = list(Run.objects.order_by("pk"))

    for query, expected in [
        ({"created_after": "2026-01-31T13:00:00Z"}, [2, 1]),
        ({"created_before": "2026-01-31T13:00:00Z"}, [0]),
        ({"created_after": "2026-01-31T15:00:00+02:00", "created_before": "2026-01-31T13:00:00.000001Z"}, [1]),
        ({"created_after": "9999-12-31T23:59:59Z"}, []),
        ({"created_before": "0001-01-01T00:00:00Z"}, []),
    ]:
        assert listed(lister, "runs", **query) == ids(*(runs[index] for index in expected)), query


def test_occurrences_are_chosen_by_type_source_and_when_they_were_recorded(lister: APIClient) -> None:
    (anna,) = people(1)
    fired = [fire(TYPE, users=anna, source="shop"), fire(ProbeEvent, users=anna, source="shop")]
    fired.append(fire(ProbeEvent, users=anna))
    for hours, occurrence in enumerate(fired):
        made_at(occurrence, NOON + timedelta(hours=hours), "recorded_at")
    early, late, other = Occurrence.objects.order_by("pk")

    for query, expected in [
        ({}, [other, late, early]),
        ({"type": "probe.ProbeEvent"}, [other, late]),
        ({"source": "shop"}, [late, early]),
        ({"source": "shop", "type": TYPE}, [early]),
        ({"recorded_after": "2026-01-31T13:00:00Z"}, [other, late]),
        ({"recorded_after": "2026-01-31T13:00:00Z", "recorded_before": "2026-01-31T14:00:00Z"}, [late]),
    ]:
        assert listed(lister, "occurrences", **query) == ids(*expected), query


@pytest.mark.parametrize("kind", ["runs", "occurrences"])
def test_pages_follow_one_another_whatever_is_added_meanwhile(lister: APIClient, trigger: Trigger, kind: str) -> None:
    users = people(5)
    for user in users:
        fire(TYPE, users=user)
    expected = sorted(listed(lister, kind), reverse=True)

    pages: list[list[str]] = []
    path: str | None = f"/api/v1/{kind}/?limit=2&type={TYPE}"
    while path:
        body = lister.get(path).json()
        pages.append([row["id"] for row in body["results"]])
        path = body["next"]
        fire(TYPE, users=users[0])

    assert pages == [expected[:2], expected[2:4], expected[4:]]


def test_the_next_page_is_asked_for_with_the_same_query(lister: APIClient, trigger: Trigger) -> None:
    runs = fire(TYPE, users=people(3)).runs.order_by("-pk")

    path = f"/api/v1/runs?type={TYPE}&limit=1&created_after=2026-01-31T09%3A00%3A00%2B02%3A00"
    following = lister.get(path).json()["next"]

    assert following == f"{path}&cursor={runs[0].pk}"
    assert lister.get(following).json()["next"] == f"{path}&cursor={runs[1].pk}"


def test_a_page_has_fifty_rows_unless_another_limit_is_given(lister: APIClient, trigger: Trigger) -> None:
    fire(TYPE, users=people(101))

    assert len(listed(lister, "runs")) == 50
    assert len(listed(lister, "runs", limit=1)) == 1
    assert len(listed(lister, "runs", limit=100)) == 100


def test_a_cursor_is_good_though_its_row_is_gone(lister: APIClient, trigger: Trigger) -> None:
    runs = list(fire(TYPE, users=people(3)).runs.order_by("-pk"))
    following = lister.get("/api/v1/runs/?limit=2").json()["next"]

    Run.objects.filter(pk=runs[1].pk).delete()

    assert [row["id"] for row in lister.get(following).json()["results"]] == ids(runs[2])
    assert listed(lister, "runs", cursor=UUID(int=0)) == []


COMMON = {
    "an unknown parameter": ("sort=id", "sort", "unknown_parameter", None),
    "a parameter in capitals": ("Limit=1", "Limit", "unknown_parameter", None),
    "a format": ("format=xml", "format", "unknown_parameter", None),
    "a parameter twice": ("limit=1&limit=1", "limit", "repeated", "Give the parameter once, not 2 times."),
    "a type with U+0000": ("type=a%00b", "type", "text_invalid", NULL_CHARACTER),
    "a blank type": ("type=", "type", "blank", BLANK),
    **{
        f"the limit {limit}": (f"limit={limit}", "limit", "invalid", NOT_A_LIMIT)
        for limit in ("0", "101", "-1", "1.0", "%2B5", "%205", "1_0", "", "null", "%D9%A1", "9" * 5000)
    },
}
#: Query, parameter, code and detail; None is the sentence that names the parameters there are.
REFUSED: dict[str, dict[str, tuple[str, str, str, str | None]]] = {
    "runs": {
        **COMMON,
        **{
            f"the cursor {cursor}": (f"cursor={cursor}", "cursor", "invalid", NOT_AN_ID)
            for cursor in (
                "",
                "garbage",
                "1",
                "null",
                "cD0xJm89MQ==",
                "0193b3f0000070008000000000000000",
                "{0193b3f0-0000-7000-8000-000000000000}",
                "urn:uuid:0193b3f0-0000-7000-8000-000000000000",
                "0193b3f0-0000-7000-8000-00000000000G",
                "%FF",
            )
        },
        "a cursor with U+0000": ("cursor=%00", "cursor", "text_invalid", NULL_CHARACTER),
        "a name with U+0000": ("a%00=1", "a\x00", "text_invalid", NULL_CHARACTER),
        "a malformed trigger": ("trigger=first", "trigger", "invalid", NOT_A_NUMBER),
        "a negative trigger": ("trigger=-1", "trigger", "invalid", NOT_A_NUMBER),
        "a trigger beyond all numbers": (f"trigger={2**63}", "trigger", "invalid", NOT_A_NUMBER),
        "a malformed user": ("user=anna", "user", "user_invalid", "'anna' cannot be the primary key of a user."),
        "an unknown status": ("status=done", "status", "invalid_choice", NOT_A_STATUS),
        "a status in capitals": ("status=FAILED", "status", "invalid_choice", NOT_A_STATUS),
        "a blank status": ("status=", "status", "invalid_choice", NOT_A_STATUS),
        "a blank code": ("code=", "code", "blank", BLANK),
        "a malformed occurrence": ("occurrence=1", "occurrence", "invalid", NOT_AN_ID),
        "a day": ("created_after=today", "created_after", "invalid", NOT_A_MOMENT),
        "a time before all times": (
            "created_before=0001-01-01T00:00:00%2B12:00",
            "created_before",
            "invalid",
            NOT_A_MOMENT,
        ),
        "a plus sign that is not quoted": (
            "created_before=2026-01-31T09:00:00+02:00",
            "created_before",
            "invalid",
            NOT_A_MOMENT,
        ),
        "a time without offset": (
            "created_after=2026-01-31T09:00:00",
            "created_after",
            "offset_missing",
            NO_OFFSET,
        ),
    },
    "occurrences": {
        **COMMON,
        "the cursor garbage": ("cursor=garbage", "cursor", "invalid", NOT_AN_ID),
        "a filter of another list": ("status=failed", "status", "unknown_parameter", None),
        "a blank source": ("source=", "source", "blank", BLANK),
        "a day": ("recorded_after=2026-01-31", "recorded_after", "offset_missing", NO_OFFSET),
    },
    "activities": {
        "an unknown parameter": ("sort=id", "sort", "unknown_parameter", None),
        "a bad limit": ("limit=0", "limit", "invalid", NOT_A_LIMIT),
        "a malformed trigger": ("trigger=first", "trigger", "invalid", NOT_A_NUMBER),
        "a malformed user": ("user=anna", "user", "user_invalid", "'anna' cannot be the primary key of a user."),
        **{
            f"the cursor {cursor}": (f"cursor={cursor}", "cursor", "invalid", NOT_A_NUMBER)
            for cursor in ("", "garbage", "-1", f"{2**63}", "0193b3f0-0000-7000-8000-000000000000")
        },
    },
}
PARAMETERS = {
    "runs": "limit, trigger, user, status, code, type, occurrence, created_after, created_before, cursor",
    "occurrences": "limit, type, source, recorded_after, recorded_before, cursor",
    "activities": "limit, trigger, user, cursor",
}


@pytest.mark.parametrize(
    ("kind", "query", "parameter", "code", "detail"),
    [
        pytest.param(kind, *row, id=f"{kind}: {name[:40]}")
        for kind, rows in REFUSED.items()
        for name, row in rows.items()
    ],
)
def test_a_query_that_the_list_does_not_take_is_refused(
    lister: APIClient, trigger: Trigger, kind: str, query: str, parameter: str, code: str, detail: str | None
) -> None:
    (anna,) = people(1)
    fire(TYPE, users=anna)

    response = lister.get(f"/api/v1/{kind}/?{query}")

    sentence = detail or f"There is no such parameter; there are {PARAMETERS[kind]}."
    assert_problem(
        response,
        problem(
            400, "query_invalid", "The query is not valid: errors says where.", [(f"/{parameter}", code, sentence)]
        ),
    )


def test_all_that_is_wrong_with_a_query_is_told(lister: APIClient) -> None:
    response = lister.get("/api/v1/occurrences/?limit=x&sort=id&cursor=1")

    assert {(error["pointer"], error["code"]) for error in response.json()["errors"]} == {
        ("/limit", "invalid"),
        ("/sort", "unknown_parameter"),
        ("/cursor", "invalid"),
    }


@pytest.mark.parametrize(
    ("kind", "permission"),
    [
        ("runs", "triggers.view_run"),
        ("occurrences", "triggers.view_occurrence"),
        ("activities", "triggers.view_activity"),
    ],
)
def test_a_list_takes_the_permission_of_its_model(client_with: StartClient, kind: str, permission: str) -> None:
    codename = permission.removeprefix("triggers.")
    others = {"view_run", "view_occurrence", "view_activity", "fire_event", "operate_run"} - {codename}
    detail = f"To list {kind} you need the permission {permission}."

    response = client_with(*others).get(f"/api/v1/{kind}/")

    assert_problem(response, problem(403, "permission_denied", detail))
    assert client_with(codename, username="lister").get(f"/api/v1/{kind}/").status_code == 200


@KINDS
def test_a_list_is_for_those_who_are_known(db: None, kind: str) -> None:
    response = APIClient().get(f"/api/v1/{kind}/")

    detail = "Authentication credentials were not provided."
    assert_problem(response, problem(401, "not_authenticated", detail))


@KINDS
def test_a_list_can_only_be_read(lister: APIClient, kind: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        response = lister.generic(method, f"/api/v1/{kind}/")

        assert_problem(response, problem(405, "method_not_allowed", f'Method "{method}" not allowed.'))
        assert response.headers["Allow"] == "GET, HEAD"


@KINDS
def test_a_list_costs_the_same_however_long_it_is(
    lister: APIClient, trigger: Trigger, kind: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    users = people(50)
    for user in users:
        fire(TYPE, users=user)
        Activity.objects.create(trigger=trigger, user=user)

    for limit in (5, 50):
        # Who asks and what they may (3), the rows.
        with django_assert_num_queries(4):
            assert len(listed(lister, kind, limit=limit)) == limit
