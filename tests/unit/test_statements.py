"""Statements that are written out do as Django's own would."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from tests.acceptance.scenario import a_trigger, people
from tests.probe.models import ProbeEvent, RecordEffectAction
from triggers import fire, statements
from triggers.ids import uuid7
from triggers.loading import rows
from triggers.models import Action, ActionCountCondition, Condition, Event, Occurrence, Run, Step, Trigger

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def values(instance: Model) -> dict[str, Any]:
    return {field.attname: getattr(instance, field.attname) for field in instance._meta.concrete_fields}


def all_values(instances: list[Any]) -> list[dict[str, Any]]:
    return [values(instance) for instance in sorted(instances, key=lambda instance: instance.pk)]


@pytest.fixture
def runs() -> list[Run]:
    """Four runs of two triggers; the last has ended."""
    for name in ("one", "two"):
        a_trigger(RecordEffectAction(label=name), name=name, conditions=[ActionCountCondition(limit=3)])
    for user in people(2):
        fire("probe.ProbeEvent", users=user, context={"amount": 5, "text": "ü"})
    found = list(Run.objects.order_by("pk"))
    Run.objects.filter(pk=found[-1].pk).update(status="succeeded", ended_at=NOW, decision={"name": "x"})
    found[-1].refresh_from_db()
    return found


@pytest.mark.parametrize("model", [Run, Occurrence, Event, ProbeEvent, Condition, ActionCountCondition, Trigger, User])
def test_what_is_selected_is_as_django_reads_it(runs: list[Run], model: Any) -> None:
    found = statements.select(model, "default")
    assert found
    assert all(type(instance) is model for instance in found)
    assert all((instance._state.adding, instance._state.db) == (False, "default") for instance in found)
    from_django = rows(model, "default").order_by("pk")
    assert all_values(found) == [values(instance) for instance in from_django]


def test_conditions_are_equality_null_and_one_of_several(runs: list[Run]) -> None:
    def keys(**where: Any) -> list[Any]:
        return sorted(run.pk for run in statements.select(Run, "default", where))

    first, *_, last = runs
    assert keys(id=first.pk) == [first.pk]
    assert keys(id=[first.pk, last.pk, uuid7()]) == [first.pk, last.pk]
    assert keys(id=[]) == []
    assert keys(ended_at=None) == [run.pk for run in runs[:-1]]
    assert keys(user_id=last.user_id, ended_at=NOW) == [last.pk]
    assert keys(trigger=first.trigger_id, status=Run.OPEN) == sorted(
        run.pk for run in runs if run.trigger_id == first.trigger_id and run.is_open
    )


def test_a_related_row_comes_with_the_same_statement(runs: list[Run]) -> None:
    with CaptureQueriesContext(connection) as queries:
        found = statements.select(ProbeEvent, "default", related="trigger")
        names = {event.trigger.name for event in found}
    assert len(queries) == 1
    assert names == {"one", "two"}
    assert all(event.trigger.pk == event.trigger_id for event in found)


def test_the_first_come_in_the_order_of_their_keys(runs: list[Run]) -> None:
    assert [run.pk for run in statements.select(Run, "default", first=2)] == [run.pk for run in runs[:2]]


def test_rows_of_a_class_are_asked_for_by_fields_of_its_own_and_of_its_base(runs: list[Run]) -> None:
    trigger = Trigger.objects.get(name="two")
    (action,) = statements.select(RecordEffectAction, "default", {"trigger": trigger.pk, "label": "two"})
    assert action.trigger_id == trigger.pk
    (base,) = statements.select(Action, "default", {"trigger": [trigger.pk]})
    assert (type(base), base.pk) == (Action, action.pk)


def test_distinct_values_are_those_of_the_field(runs: list[Run]) -> None:
    assert statements.distinct(Run, "default", "user", {"ended_at": None}) == {run.user_id for run in runs}
    assert statements.distinct(Run, "default", "id", {"ended_at": NOW}) == {runs[-1].pk}
    assert statements.distinct(Run, "default", "id", {"user": []}) == set()


def test_what_is_inserted_is_read_back_the_same(runs: list[Run]) -> None:
    written = [
        Occurrence(
            type="shop.Paid",
            context={"a": [1, None, "ü%s"]},
            occurred_at=NOW,
            delay=timedelta(hours=1),
            key=f"%s {number}",
        )
        for number in range(3)
    ]
    with CaptureQueriesContext(connection) as queries:
        statements.insert(written, "default")
    assert len(queries) == 1
    assert all((instance._state.adding, instance._state.db) == (False, "default") for instance in written)
    for instance in written:
        assert values(Occurrence.objects.get(pk=instance.pk)) == values(instance)


def test_more_rows_than_one_statement_takes_are_inserted_by_several() -> None:
    written = [Occurrence(type="shop.Paid", context={}, occurred_at=NOW) for _ in range(3000)]
    statements.insert(written, "default")
    assert Occurrence.objects.count() == 3000
    statements.insert([], "default")


def test_keys_that_the_database_makes_are_its_own(runs: list[Run]) -> None:
    for position in (0, 1):
        step = Step(run=runs[0], position=position, action_id=1, type="a", status="succeeded", started_at=NOW)
        statements.insert([step], "default")
    assert len(set(Step.objects.values_list("pk", flat=True))) == 2


def test_a_row_that_may_not_be_is_refused_as_by_django(runs: list[Run]) -> None:
    twin = Run(**{name: value for name, value in values(runs[0]).items() if name != "id"})
    with pytest.raises(IntegrityError), transaction.atomic():
        statements.insert([twin], "default")
    assert Run.objects.count() == len(runs)


def test_an_update_says_how_many_rows_it_changed(runs: list[Run]) -> None:
    changes = {
        "decision": {"name": "ü"},
        "due_at": NOW,
        "snapshot_id": None,
        "status": Run.Status.WAITING,
        "token": uuid7(),
    }
    assert statements.update(Run, "default", {"id": runs[0].pk, "token": None}, changes) == 1
    assert statements.update(Run, "default", {"id": runs[0].pk, "token": None}, changes) == 0
    changed = Run.objects.get(pk=runs[0].pk)
    assert {name: getattr(changed, name) for name in changes} == changes
    assert statements.update(Run, "default", {"trigger": runs[0].trigger_id, "ended_at": None}, {"losses": 2}) >= 1
    assert Run.objects.get(pk=runs[-1].pk).losses == 0
