from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import transaction
from django.test import Client

from tests.app.models import (
    ClockEvent,
    HasUncompletedTaskCondition,
    SendEmailAction,
    Task,
    TaskCompletedEvent,
)
from tests.app.tasks import fire_clock_event
from triggers.models import Activity, Occurrence, Run, Trigger

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> User:
    return User.objects.create_user("anna", email="anna@example.com", first_name="Anna")


def trigger_on(event: Any, **fields: Any) -> Trigger:
    trigger = Trigger.objects.create(name=f"{type(event).__name__} {fields}", is_enabled=True)
    event.trigger = trigger
    event.save()
    SendEmailAction.objects.create(trigger=trigger, subject="Hello", message="World")
    return trigger


def test_completing_a_task_fires_the_event_once(anna: User) -> None:
    trigger_on(TaskCompletedEvent())
    task = Task.objects.create(user=anna, name="Write")
    same = Task.objects.get(pk=task.pk)

    task.complete()
    same.complete()

    assert task.is_completed
    assert same.is_completed
    occurrence = Occurrence.objects.get()
    assert occurrence.type == "app.TaskCompletedEvent"
    assert occurrence.context == {"task_id": task.pk}
    assert [run.user_id for run in occurrence.runs.all()] == [anna.pk]


def test_a_completion_that_is_rolled_back_fires_nothing(anna: User) -> None:
    trigger_on(TaskCompletedEvent())
    task = Task.objects.create(user=anna, name="Write")

    with transaction.atomic():
        task.complete()
        transaction.set_rollback(True)

    assert not Task.objects.get().is_completed
    assert not Occurrence.objects.exists()


def test_important_only_leaves_out_tasks_that_are_not(anna: User) -> None:
    every = trigger_on(TaskCompletedEvent())
    important = trigger_on(TaskCompletedEvent(important_only=True), important=True)

    Task.objects.create(user=anna, name="Write").complete()
    assert list(Run.objects.values_list("trigger", flat=True)) == [every.pk]
    Task.objects.create(user=anna, name="Write", is_important=True).complete()
    assert Run.objects.filter(trigger=important).count() == 1


def test_the_clock_concerns_those_who_have_something_to_do(anna: User) -> None:
    trigger_on(ClockEvent())
    bob, _idle = User.objects.create_user("bob"), User.objects.create_user("idle")
    for name in ("One", "Two"):
        Task.objects.create(user=anna, name=name)
    Task.objects.create(user=bob, name="Done", is_completed=True)

    fire_clock_event()

    chunk = Occurrence.objects.get().audience_chunks.get()
    assert chunk.user_keys == [anna.pk]
    assert ClockEvent().get_user_context(anna, {}) == {"user": anna, "tasks": ["One", "Two"]}


def test_both_questions_of_the_condition_are_answered_alike(anna: User) -> None:
    bob = User.objects.create_user("bob")
    Task.objects.create(user=anna, name="Open")
    Task.objects.create(user=bob, name="Done", is_completed=True)
    condition = HasUncompletedTaskCondition()

    assert list(condition.filter_user_queryset(User.objects.all())) == [anna]
    assert condition.is_satisfied(anna)
    assert not condition.is_satisfied(bob)


def test_an_email_mentions_the_person_and_the_context(anna: User) -> None:
    action = SendEmailAction(
        subject="Well done,\r\nBcc: x@example.com {{ user.first_name }}",
        message="{{ task.name }} is completed. {{ user.password }}{{ user.delete }}",
    )

    action.perform(anna, {"user": anna, "task": {"name": "R&D"}})

    [sent] = mail.outbox
    assert (sent.subject, sent.body, sent.to) == (
        "Well done, Bcc: x@example.com Anna",
        "R&D is completed. ",
        ["anna@example.com"],
    )
    assert User.objects.filter(pk=anna.pk).exists()


def test_nothing_is_sent_to_a_person_without_an_address() -> None:
    with pytest.raises(Activity.Cancel):
        SendEmailAction(subject="Hello", message="World").perform(User(username="bob"), {})
    assert mail.outbox == []


def test_the_admin_action_completes_the_chosen_tasks_and_fires_for_each(admin_client: Client) -> None:
    trigger_on(TaskCompletedEvent())
    users = [User.objects.create_user(name) for name in ("anna", "bob")]
    chosen = [Task.objects.create(user=user, name="Write") for user in users]
    other = Task.objects.create(user=users[0], name="Read")

    answer = admin_client.post(
        "/admin/app/task/",
        {"action": "complete", "_selected_action": [task.pk for task in chosen]},
        follow=True,
    )

    assert "Tasks completed: 2." in answer.content.decode()
    assert list(Task.objects.filter(is_completed=False)) == [other]
    assert Run.objects.count() == 2
