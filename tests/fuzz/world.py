"""
What generated requests meet: people, triggers of every class of components, and records in every state.

Generated ids are those of nothing. Here is what there is, found or made when a request needs it.
"""

from datetime import timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone
from rest_framework.authtoken.models import Token

from tests.app.models import ClockEvent, SendEmailAction, Task
from triggers import clock, loading
from triggers.models import Action, Activity, Condition, Event, Occurrence, Run, Step, Trigger
from triggers.registry import component_types, label
from triggers_api.serializers import TriggerSerializer

#: More than are enough for any request; whom the audiences have.
PEOPLE = 6
#: How many of a kind take turns.
FEW = 9
KINDS = (Event, Condition, Action)

_turn = count()


def rows(model: Any) -> Any:
    """The rows of the class and of those below it, as what the class says."""
    return loading.rows(model, clock.alias())


def make() -> str:
    """There is something of everything; the token of somebody who may do anything."""
    root = User.objects.create_superuser("root")
    people = [User(username=f"person{number}", email=f"{number}@example.com") for number in range(PEOPLE)]
    User.objects.bulk_create(people)
    Task.objects.bulk_create(Task(user=person, name="Write") for person in people[::2])
    Group.objects.bulk_create(Group(name=name) for name in ("staff", "guests"))
    for number in range(FEW):
        for type_ in TriggerSerializer.variants():
            a_new_trigger(type_, is_enabled=number % 3 > 0)
    trigger_with_what_is_not_installed()
    for status in Run.Status.values:
        for _ in range(3):
            a_run(status)
    for person in people:
        for trigger in Trigger.objects.all()[:3]:
            Activity.objects.create(trigger=trigger, user=person, action_count=1, last_action_datetime=timezone.now())
    return str(Token.objects.create(user=root).key)


def turn(found: Any) -> Any:
    """One of them, each time another."""
    return found[next(_turn) % len(found)]


def a_user() -> int:
    key: int = turn(User.objects.order_by("pk").values_list("pk", flat=True)[:PEOPLE])
    return key


def a_group() -> int:
    key: int = turn(Group.objects.order_by("pk").values_list("pk", flat=True))
    return key


def a_type() -> str:
    return label(turn([model for kind in KINDS for model in component_types(kind)]))


def a_new_trigger(type_: str = "triggers.Trigger", *, name: str = "Trigger", is_enabled: bool = False) -> int:
    """A trigger with a component of each kind, of the classes whose turn it is."""
    model: Any = TriggerSerializer.variants()[type_].Meta.model
    trigger = model.objects.create(name=f"{name} {next(_turn)}", is_enabled=is_enabled)
    for kind in KINDS:
        turn([model for model in component_types(kind) if needs_nothing(model)]).objects.create(trigger=trigger)
    key: int = trigger.pk
    return key


def needs_nothing(model: Any) -> bool:
    """Whether a row of the class can be made with its trigger alone."""
    fields = [field for field in model._meta.fields if field.name not in ("trigger", "polymorphic_ctype")]
    return all(
        field.null or field.has_default() or field.empty_strings_allowed or field.primary_key for field in fields
    )


def trigger_with_what_is_not_installed() -> None:
    trigger = Trigger.objects.get(pk=a_new_trigger(name="Missing", is_enabled=True))
    gone = ContentType.objects.create(app_label="gone", model="goneaction")
    rows(Action).filter(trigger=trigger).update(polymorphic_ctype=gone)


def a_trigger(type_: str | None = None) -> int:
    """A trigger of the class, enabled or not."""
    models = {name: variant.Meta.model for name, variant in TriggerSerializer.variants().items()}
    found = rows(Trigger).exclude(name__startswith="Stable")
    if type_ in models:
        found = found.filter(polymorphic_ctype=ContentType.objects.get_for_model(models[type_]))
    key: int = turn(found.order_by("pk").values_list("pk", flat=True)[:FEW])
    return key


def a_trigger_to_switch() -> int:
    """A trigger with all that it takes to be enabled."""
    complete = rows(Trigger).exclude(name__startswith="Stable").filter(event__isnull=False, action__isnull=False)
    found = complete.distinct().order_by("-pk").values_list("pk", flat=True)[:FEW]
    return turn(found) if found else a_new_trigger()


def an_event() -> int:
    """A configured event of an enabled trigger."""
    key: int = turn(rows(Event).filter(trigger__is_enabled=True).order_by("pk").values_list("pk", flat=True)[:FEW])
    return key


def an_event_that_can_be_replayed() -> Event:
    found = Event.objects.filter(trigger__name__startswith="Stable", trigger__is_enabled=True).first()
    if found is not None:
        return found
    trigger = Trigger.objects.create(name=f"Stable {next(_turn)}", is_enabled=True)
    SendEmailAction.objects.create(trigger=trigger, subject="Hello", message="Hello")
    return ClockEvent.objects.create(trigger=trigger)


def a_run(status: str) -> Run:
    """A new run of that status."""
    event = an_event_that_can_be_replayed()
    occurrence = Occurrence.objects.create(type=label(event), occurred_at=timezone.now())
    run = Run.objects.create(
        occurrence=occurrence,
        event=event,
        trigger=event.trigger,
        trigger_name=event.trigger.name,
        user=User.objects.get(pk=a_user()),
        engine="celery",
        status=status,
    )
    action = event.trigger.actions.first()
    assert action is not None
    if status in (Run.Status.FAILED, Run.Status.SUCCEEDED):
        begun = timezone.now()
        Step.objects.create(
            run=run,
            position=0,
            action=action,
            type=label(action),
            status=status,
            attempts=1,
            started_at=begun,
            ended_at=begun + timedelta(seconds=1),
        )
    return run


def an_open_run() -> str:
    return str(a_run(turn(Run.OPEN)).pk)


def a_failed_run() -> str:
    return str(a_run(Run.Status.FAILED).pk)


def an_ended_run() -> str:
    return str(a_run(turn((Run.Status.SUCCEEDED, Run.Status.FAILED))).pk)


def a_record(model: Any) -> str:
    return str(turn(rows(model).order_by("-pk").values_list("pk", flat=True)[:FEW]))


def a_component(kind: Any, type_: Any, trigger: int, taken: set[int]) -> int | None:
    """The id of a component of the class that the trigger has and that is not taken yet; it is now."""
    found = [row.pk for row in kind.objects.filter(trigger=trigger) if label(row) == type_ and row.pk not in taken]
    taken.update(found[:1])
    return found[0] if found else None
