from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.acceptance.scenario import a_trigger
from tests.app.models import HasUncompletedTaskCondition, Task
from tests.probe import models as probe
from tests.unit.conftest import FAR
from triggers import fire
from triggers.exceptions import AudienceInvalid, AudienceTooLarge, AudienceUnknown, ContextInvalid, UsersTooMany
from triggers.explaining import explain
from triggers.models import ActionCountCondition, ActionFrequencyCondition, Activity, Occurrence, Run, Trigger
from triggers.running import advance

pytestmark = pytest.mark.django_db


def test_every_condition_is_reported_with_what_was_required_and_observed(ada, bob):
    trigger = a_trigger(
        probe.RecordEffectAction(),
        conditions=[
            probe.UsernameCondition(prefix="b"),
            ActionCountCondition(limit=2),
            probe.ContextCondition(key="a"),
        ],
    )
    Activity.objects.create(trigger=trigger, user=ada, action_count=2)
    first, second = explain(probe.ProbeEvent, users=[ada, bob], context={"a": 1})
    assert (first.user, first.would_run, first.code) == (ada, False, "condition_failed")
    assert [(report.holds, report.observed) for report in first.reports] == [
        (False, ""),
        (False, "2 times so far"),
        (True, ""),
    ]
    assert (second.user, second.would_run, second.code) == (bob, True, "matched")
    assert [report.holds for report in second.reports] == [True, True, True]
    assert second.reports[1].observed == "0 times so far"


def test_a_trigger_that_cannot_start_says_so_for_each_user(ada):
    a_trigger(probe.RecordEffectAction(), is_enabled=False)
    (explanation,) = explain("probe.ProbeEvent", users=ada)
    assert (explanation.would_run, explanation.code, explanation.reports) == (False, "trigger_disabled", [])


def test_a_condition_that_raises_is_reported_and_concerns_its_user_only(ada, bob):
    a_trigger(probe.RecordEffectAction(), conditions=[probe.RaisingCondition(usernames="ada")])
    assert [
        (explanation.would_run, explanation.code) for explanation in explain(probe.ProbeEvent, users=[ada, bob])
    ] == [
        (False, "condition_error"),
        (True, "matched"),
    ]


def test_a_condition_that_cannot_say_what_it_observed_is_reported_all_the_same(ada, monkeypatch):
    def observe(self, user, activity):
        raise RuntimeError

    monkeypatch.setattr(ActionCountCondition, "observe", observe)
    a_trigger(probe.RecordEffectAction(), conditions=[ActionCountCondition()])
    (explanation,) = explain(probe.ProbeEvent, users=ada)
    assert explanation.would_run
    assert [(report.holds, report.observed) for report in explanation.reports] == [(True, "")]


def test_a_context_that_is_no_object_is_refused(ada):
    with pytest.raises(ContextInvalid):
        explain(probe.ProbeEvent, users=ada, context=[])


def test_nothing_is_written(ada, django_assert_max_num_queries):
    a_trigger(probe.RecordEffectAction(), conditions=[ActionCountCondition()])
    explain(probe.ProbeEvent, users=ada)
    with django_assert_max_num_queries(20) as queries:
        explain(probe.ProbeEvent, users=ada)
    assert {query["sql"].split()[0] for query in queries.captured_queries} <= {"SELECT", "SAVEPOINT", "RELEASE"}
    assert not Occurrence.objects.exists()
    assert not Activity.objects.exists()


def test_every_condition_of_a_trigger_that_cannot_start_is_asked_too(ada):
    a_trigger(conditions=[probe.UsernameCondition(prefix="b"), ActionCountCondition()])
    (explanation,) = explain(probe.ProbeEvent, users=ada)
    assert (explanation.would_run, explanation.code) == (False, "trigger_incomplete")
    assert [report.holds for report in explanation.reports] == [False, True]


def test_a_condition_that_raises_says_what_it_requires(ada):
    a_trigger(
        probe.RecordEffectAction(), conditions=[probe.BrokenFilterCondition(), probe.RaisingCondition(usernames="ada")]
    )
    (explanation,) = explain(probe.ProbeEvent, users=ada)
    assert [(report.holds, report.required, report.code) for report in explanation.reports] == [
        (False, "broken filter condition", "condition_error"),
        (False, "raising condition", "condition_error"),
    ]


def test_it_says_when_a_limit_will_let_the_user_through_again(ada, bob):
    trigger = a_trigger(
        probe.RecordEffectAction(),
        conditions=[ActionFrequencyCondition(limit=timedelta(days=2)), ActionCountCondition(limit=1)],
    )
    last = timezone.now() - timedelta(days=1)
    Activity.objects.create(trigger=trigger, user=ada, action_count=1, last_action_datetime=last)
    of_ada, of_bob = explain(probe.ProbeEvent, users=[ada, bob])
    assert [report.possible_at for report in of_ada.reports] == [last + timedelta(days=2), None]
    assert [report.possible_at for report in of_bob.reports] == [None, None]
    Activity.objects.update(last_action_datetime=last - timedelta(days=1, seconds=1))
    (of_ada, _) = explain(probe.ProbeEvent, users=[ada, bob])
    assert [(report.holds, report.possible_at) for report in of_ada.reports] == [(True, None), (False, None)]


def test_a_limit_without_end_is_not_said_to_end(ada):
    trigger = a_trigger(probe.RecordEffectAction(), conditions=[ActionFrequencyCondition(limit=timedelta(days=10**8))])
    Activity.objects.create(
        trigger=trigger, user=ada, action_count=1, last_action_datetime=datetime.max.replace(tzinfo=UTC)
    )
    (explanation,) = explain(probe.ProbeEvent, users=ada)
    assert [(report.holds, report.possible_at) for report in explanation.reports] == [(False, None)]


def test_it_takes_what_fire_takes(ada, bob):
    a_trigger(probe.RecordEffectAction(), name="first", event=probe.ProbeEvent(delay=timedelta(hours=1)))
    second = a_trigger(probe.RecordEffectAction(), name="second")
    moment = timezone.now() + timedelta(days=1)
    explanations = explain(second.events.get(), audience="all", scheduled_at=moment)
    assert [(found.trigger_name, found.user, found.due_at) for found in explanations] == [
        ("second", ada, moment),
        ("second", bob, moment),
    ]
    (first, _) = explain(probe.ProbeEvent, users=User.objects.filter(pk=ada.pk), occurred_at=moment, delay=timedelta(1))
    assert first.due_at == moment + timedelta(days=1, hours=1)
    for mistake, error in (({}, AudienceInvalid), ({"audience": "nobody"}, AudienceUnknown)):
        with pytest.raises(error):
            explain(probe.ProbeEvent, **mistake)


def test_no_more_than_a_hundred_users_are_explained():
    users = User.objects.bulk_create(User(username=f"user{number}") for number in range(101))
    for too_many in (users, User.objects.all()):
        with pytest.raises(UsersTooMany) as refused:
            explain(probe.ProbeEvent, users=too_many)
        assert (refused.value.code, refused.value.argument) == ("users_too_many", "users")
    with pytest.raises(AudienceTooLarge) as refused:
        explain(probe.ProbeEvent, audience="all")
    assert (refused.value.code, refused.value.argument) == ("audience_too_large", "audience")
    assert str(refused.value) == "The audience “all” has more. At most 100 users can be explained at once."
    users[0].delete()
    assert explain(probe.ProbeEvent, audience="all") == []


CONDITIONS = st.lists(
    st.one_of(
        st.builds(probe.UsernameCondition, prefix=st.sampled_from(["", "a", "b"])),
        st.builds(ActionCountCondition, limit=st.integers(1, 3)),
        st.builds(ActionFrequencyCondition, limit=st.sampled_from([timedelta(hours=2), timedelta(days=20)])),
        st.builds(probe.ContextCondition, key=st.sampled_from(["x", "y"])),
        st.builds(probe.RaisingCondition, usernames=st.sampled_from(["", "ada", "ada bob"])),
        st.builds(HasUncompletedTaskCondition),
        st.builds(probe.BrokenFilterCondition),
    ),
    max_size=4,
)
HISTORIES = st.none() | st.tuples(
    st.integers(0, 3), st.none() | st.sampled_from([timedelta(hours=1), timedelta(days=10), timedelta(days=30)])
)
PEOPLE = ("ada", "bob", "abe")
DELAYS = st.sampled_from([timedelta(), timedelta(days=1)])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    conditions=CONDITIONS,
    histories=st.tuples(*[HISTORIES] * len(PEOPLE)),
    with_task=st.sets(st.sampled_from(PEOPLE)),
    context=st.sets(st.sampled_from("xy")),
    state=st.sampled_from(["enabled"] * 4 + ["disabled", "incomplete"]),
    delays=st.tuples(DELAYS, DELAYS),
)
def test_what_is_explained_is_what_happens(db, conditions, histories, with_task, context, state, delays):
    Trigger.objects.all().delete()
    User.objects.all().delete()
    people = [User.objects.create(username=name) for name in PEOPLE]
    trigger = a_trigger(
        *([] if state == "incomplete" else [probe.RecordEffectAction()]),
        conditions=conditions,
        event=probe.ProbeEvent(delay=delays[0]),
        is_enabled=state != "disabled",
    )
    for user, history in zip(people, histories, strict=True):
        if history:
            count, ago = history
            Activity.objects.create(
                trigger=trigger, user=user, action_count=count, last_action_datetime=ago and timezone.now() - ago
            )
        if user.username in with_task:
            Task.objects.create(user=user, name="task")
    what = {"users": people, "context": dict.fromkeys(context, 1), "delay": delays[1]}

    explained = explain(probe.ProbeEvent, **what)
    occurrence = fire(probe.ProbeEvent, **what)
    run_ids = [run.pk for run in occurrence.runs.all()]
    dues = {run.user_id: run.due_at for run in occurrence.runs.all()}
    advance(run_ids, now=FAR)

    assert [explanation.user for explanation in explained] == people
    runs = {run.user_id: run for run in Run.objects.filter(pk__in=run_ids)}
    for explanation in explained:
        assert [report.condition for report in explanation.reports] == conditions
        if state != "enabled":
            (note,) = occurrence.matches
            assert (explanation.would_run, explanation.code, explanation.detail, explanation.decided_by) == (
                False,
                note["code"],
                note["detail"],
                None,
            )
            continue
        run = runs[explanation.user.pk]
        assert explanation.would_run == (run.status == Run.Status.SUCCEEDED)
        assert (explanation.code, explanation.detail) == (run.code or "matched", run.detail)
        due_at = dues[explanation.user.pk]
        assert (explanation.due_at is None) == (due_at is None)
        if due_at:
            assert abs(explanation.due_at - due_at) < timedelta(seconds=10)
        decided_by = explanation.decided_by
        assert (decided_by and decided_by.pk) == (run.decision and run.decision["condition"])
        assert explanation.would_run == all(report.holds for report in explanation.reports)
        for report in explanation.reports:
            if report.condition == decided_by and report.code != "condition_error":
                assert (report.required, report.observed) == (run.decision["required"], run.decision["observed"])
