"""Conditions that are ready: at work, over HTTP, in the admin, and as explained."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from tests.acceptance.scenario import a_trigger, effects
from tests.admin.pages import add_component, form_values, text, trigger_url
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers import fire
from triggers.contrib.conditions.models import AudienceCondition, ExpressionCondition
from triggers.models import ActionCountCondition, Condition, Run, Trigger
from triggers.testing import run_triggers, without_broker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_broker():
    with without_broker():
        yield


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", "ada@example.com", first_name="Ada")


@pytest.fixture
def client(db: None) -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("admin"))
    return client


def happen(user: User, *conditions: Condition, **context: Any) -> Run:
    """The run of an event that happened to the user, where these conditions must hold."""
    if not Trigger.objects.exists():
        a_trigger(RecordEffectAction(), conditions=conditions)
    run: Run = fire(ProbeEvent, users=user, context=context).runs.get()
    run_triggers()
    run.refresh_from_db()
    return run


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("context.amount > 100", True),
        ("context.amount > 1000", False),
        ("context.price == 2.5 && context.big > 1e29", True),
        ("context.id == '0190aaaa-0000-7000-8000-000000000000'", True),
        ("timestamp(context.at) < now && now - timestamp(context.at) > duration('1h')", True),
        ("context.items.exists(item, item.sku.startsWith('BOOK-') && item.quantity > 1)", True),
        ("context.items.all(item, item.quantity > 1)", False),
        ("has(context.coupon) && context.coupon == 'X'", False),
        ("!has(context.coupon)", True),
        ("context.none == null", True),
        ("user.email.matches('@example\\\\.(com|org)$') && user.first_name == 'Ada'", True),
        ("activity.action_count == 0 && activity.last_action_datetime == null", True),
        ("true || context.nothing", True),
        ("now.getFullYear('Europe/Vienna') > 2000", True),
    ],
)
def test_an_expression_decides_of_user_context_activity_and_moment(ada: User, expression: str, holds: bool) -> None:
    run = happen(
        ada,
        ExpressionCondition(expression=expression),
        amount=250,
        price=Decimal("2.5"),
        big=10**30,
        id=UUID("0190aaaa-0000-7000-8000-000000000000"),
        at=datetime(2026, 1, 31, tzinfo=UTC),
        items=[{"sku": "PEN-1", "quantity": 1}, {"sku": "BOOK-1", "quantity": 2}],
        none=None,
    )
    assert (run.status, run.code) == (("succeeded", "") if holds else ("skipped", "condition_failed"))
    assert effects() == ({"effect": 1} if holds else {})


def test_a_run_that_is_skipped_tells_what_was_asked_and_found(ada: User) -> None:
    expression = "context.amount > 100 && has(context.coupon) && user.email != ''"
    run = happen(ada, ExpressionCondition(expression=expression), amount=50, note="x" * 500)
    condition = ExpressionCondition.objects.get()
    found = 'context.amount is 50; context.coupon is missing; user.email is "ada@example.com"'
    assert run.decision == {
        "condition": condition.pk,
        "type": "triggers_conditions.ExpressionCondition",
        "name": f"expression {expression}",
        "required": expression,
        "observed": found,
    }
    assert run.detail == (
        f"The condition “expression {expression}” does not hold. Required: {expression}. Observed: {found}."
    )


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("context.coupon == 'X'", 'The expression failed: Key not found in map : "coupon"'),
        ("context.amount / 0 == 1", "The expression failed: divide by zero"),
        ("context.amount", "The expression is neither true nor false"),
        (
            "context.amount.startsWith('a')",
            "The expression failed: No matching overloads found : (int64).startsWith(string)",
        ),
        ("user.password == ''", 'The expression failed: Key not found in map : "password"'),
    ],
)
def test_an_expression_without_an_answer_is_an_error_of_the_condition(
    ada: User, expression: str, sentence: str
) -> None:
    run = happen(ada, ExpressionCondition(expression=expression), amount=50)
    assert (run.status, run.code) == ("failed", "condition_error")
    assert run.detail == f"The condition “expression {expression}” could not be evaluated: {sentence}."


def test_an_expression_that_was_never_valid_is_an_error_of_the_condition(ada: User) -> None:
    run = happen(ada, ExpressionCondition(expression="context."), amount=50)
    assert (run.status, run.code) == ("failed", "condition_error")


def test_what_the_trigger_did_before_is_read_only_by_an_expression_about_it(ada: User) -> None:
    condition = ExpressionCondition(expression="activity.action_count < 1")
    assert happen(ada, condition).status == "succeeded"
    happen(ada)
    run = Run.objects.latest("created_at")
    assert (run.status, run.code) == ("skipped", "condition_failed")
    assert run.decision is not None
    assert run.decision["observed"] == "activity.action_count is 1"
    for expression, queries in [("context.x == 1", 0), ("activity.action_count == 1", 1)]:
        condition.expression = expression
        with CaptureQueriesContext(connection) as captured:
            assert condition.allows(ada, {"x": 1})
        assert len(captured) == queries


def test_limits_hold_beside_an_expression(ada: User) -> None:
    conditions = [ExpressionCondition(expression="context.amount > 100"), ActionCountCondition(limit=1)]
    assert happen(ada, *conditions, amount=200).status == "succeeded"
    assert happen(ada, amount=200).code == "limit_reached"
    assert happen(ada, amount=20).code in ("condition_failed", "limit_reached")


def test_explaining_says_what_an_expression_would_find(ada: User, client: APIClient) -> None:
    a_trigger(RecordEffectAction(), conditions=[ExpressionCondition(expression="context.amount > 100")])
    body = {"type": "probe.ProbeEvent", "user": str(ada.pk), "context": {"amount": 50}}
    response = client.post("/api/v1/explain/", body, format="json")
    assert response.status_code == 200, response.json()
    [explained] = response.json()["explanations"]
    [condition] = explained["conditions"]
    assert (explained["would_run"], condition["satisfied"]) == (False, False)
    assert condition["observed"] == "context.amount is 50"
    body["context"] = {"amount": 500}
    [explained] = client.post("/api/v1/explain/", body, format="json").json()["explanations"]
    [condition] = explained["conditions"]
    assert (explained["would_run"], condition["satisfied"]) == (True, True)
    assert condition["observed"] == "context.amount is 500"


@pytest.fixture
def crowd(ada: User, settings: Any) -> dict[str, User]:
    settings.TRIGGERS_AUDIENCES = {"a": "tests.conditions.test_conditions.whose_name_begins_with_a"}
    editors = Group.objects.create(name="editors")
    people = {"ada": ada, "bob": User.objects.create_user("bob"), "root": User.objects.create_superuser("root")}
    people["bob"].groups.add(editors, Group.objects.create(name="others"))
    return people


def whose_name_begins_with_a() -> Any:
    return User.objects.filter(username__startswith="a")


@pytest.mark.parametrize(
    ("kind", "name", "members"),
    [
        ("audience", "a", {"ada"}),
        ("audience", "all", {"ada", "bob", "root"}),
        ("group", "editors", {"bob"}),
        ("staff", "", {"root"}),
    ],
)
@pytest.mark.parametrize("is_in", [True, False])
def test_an_audience_lets_its_users_through_or_the_others(
    crowd: dict[str, User], kind: str, name: str, members: set[str], is_in: bool
) -> None:
    condition = AudienceCondition(kind=kind, name=name, is_in=is_in)
    a_trigger(RecordEffectAction(), conditions=[condition])
    fire(ProbeEvent, users=User.objects.all(), context={})
    run_triggers()
    passed = members if is_in else set(crowd) - members
    succeeded = Run.objects.filter(status="succeeded").values_list("user__username", flat=True)
    assert sorted(succeeded) == sorted(passed)
    assert {user for user in crowd if condition.is_satisfied(crowd[user])} == passed


def test_who_is_kept_out_by_an_audience_is_told_why(crowd: dict[str, User]) -> None:
    run = happen(crowd["ada"], AudienceCondition(kind="group", name="editors"))
    assert run.detail == (
        "The condition “in group “editors”” does not hold. Required: belongs to it. Observed: does not belong to it."
    )


@pytest.mark.parametrize("is_in", [True, False])
def test_a_group_that_is_gone_lets_nobody_through(crowd: dict[str, User], is_in: bool) -> None:
    condition = AudienceCondition(kind="group", name="editors", is_in=is_in)
    a_trigger(RecordEffectAction(), conditions=[condition])
    Group.objects.all().delete()
    run = happen(crowd["ada"])
    assert (run.status, run.code) == ("failed", "condition_error")
    assert run.detail.endswith("could not be evaluated: There is no group 'editors'.")


def post(client: APIClient, *conditions: Any) -> Any:
    body = {"type": "triggers.Trigger", "name": "orders", "conditions": list(conditions)}
    return client.post("/api/v1/triggers/", body, format="json")


def test_they_are_set_up_over_http(client: APIClient, crowd: dict[str, User]) -> None:
    given: list[dict[str, Any]] = [
        {"type": "triggers_conditions.ExpressionCondition", "expression": "context.amount > 100\n&& user.id == 7"},
        {"type": "triggers_conditions.AudienceCondition", "kind": "group", "name": "editors", "is_in": False},
        {"type": "triggers_conditions.AudienceCondition", "kind": "staff"},
    ]
    response = post(client, *given)
    assert response.status_code == 201, response.json()
    told = [{name: value for name, value in each.items() if name != "id"} for each in response.json()["conditions"]]
    assert told == [given[0], given[1], given[2] | {"name": "", "is_in": True}]


def test_what_is_wrong_is_refused_over_http_at_its_place(client: APIClient) -> None:
    expression, audience = "triggers_conditions.ExpressionCondition", "triggers_conditions.AudienceCondition"
    response = post(
        client,
        {"type": expression, "expression": "context.amount >\n && 2"},
        {"type": expression, "expression": "usr.email == ''"},
        {"type": expression, "expression": "1 + 1"},
        {"type": expression, "expression": ""},
        {"type": expression, "expression": "x" * 2001},
        {"type": expression},
        {"type": audience, "kind": "audience", "name": "nobody"},
        {"type": audience, "kind": "group", "name": "nobody"},
        {"type": audience, "kind": "staff", "name": "x"},
        {"type": audience, "kind": "friends"},
    )
    assert response.status_code == 400
    errors = [(error["pointer"], error["code"], error["detail"]) for error in response.json()["errors"]]
    assert errors == [
        (
            "/conditions/0/expression",
            "expression_invalid",
            "Line 2, column 2: Syntax error: extraneous input '&&'.",
        ),
        ("/conditions/1/expression", "expression_invalid", "Line 1, column 4: undeclared reference to 'usr.email'."),
        (
            "/conditions/2/expression",
            "expression_invalid",
            "The expression must be one that is true or false, such as a comparison.",
        ),
        ("/conditions/3/expression", "blank", "This field may not be blank."),
        ("/conditions/4/expression", "expression_invalid", "The expression has more than 2000 characters."),
        ("/conditions/4/expression", "max_length", "Ensure this field has no more than 2000 characters."),
        ("/conditions/5/expression", "required", "This field is required."),
        ("/conditions/6/name", "name_unknown", "There is no audience 'nobody'; there are all, task-owners."),
        ("/conditions/7/name", "name_unknown", "There is no group 'nobody'."),
        ("/conditions/8/name", "name_needless", "Leave this blank: there is one staff."),
        ("/conditions/9/kind", "invalid_choice", "Write one of audience, group, staff."),
    ]


def test_they_are_set_up_in_the_admin(admin_client: Client) -> None:
    trigger = a_trigger(RecordEffectAction())
    page = admin_client.get(trigger_url(trigger))
    assert "Holds if an expression is true of the user" in text(page)
    values = form_values(page)
    add_component(values, "conditions", ExpressionCondition, expression="contxt.amount > 100")
    refused = admin_client.post(trigger_url(trigger), values)
    assert "Line 1, column 7: undeclared reference to 'contxt.amount'." in text(refused)
    values = form_values(page)
    add_component(values, "conditions", ExpressionCondition, expression="context.amount > 100")
    add_component(values, "conditions", AudienceCondition, kind="staff", name="")
    response = admin_client.post(trigger_url(trigger), values)
    assert response.status_code == 302, text(response)
    assert [str(condition) for condition in trigger.conditions.order_by("pk")] == [
        "expression context.amount > 100",
        "not in staff",
    ]


def test_validation_of_the_model_points_at_line_and_column() -> None:
    with pytest.raises(ValidationError) as refused:
        ExpressionCondition(expression="true &&\n  contxt.a").full_clean(
            exclude=["trigger", "polymorphic_ctype", "condition_ptr"]
        )
    [error] = refused.value.error_dict["expression"]
    assert error.params is not None
    assert (error.code, error.params["line"], error.params["column"]) == ("expression_invalid", 2, 9)
