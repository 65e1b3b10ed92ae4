from typing import Any

from django.contrib.auth.models import User
from django.core import checks

from tests.compat.projects.notes.models import Note, SomethingHappenedEvent, WriteNoteAction
from tests.compat.projects.notes.scenes import notes, perform_all
from tests.compat.projects.overrides.models import LoudEvent, LoudTrigger, SingleEvent, StaffTrigger
from triggers import fire
from triggers.expansion import expand
from triggers.models import AudienceChunk, Event, Run, Trigger
from triggers.tasks import handle_event


def play() -> None:
    checks_name_what_is_not_called()
    triggers_filter_users()
    events_are_fired_and_handled_their_own_way()


def checks_name_what_is_not_called() -> None:
    overridden = {
        (message.obj, name)
        for message in checks.run_checks()
        for name in ("on_event", "is_active", "fire", "fire_single", "handle")
        if message.hint and (message.id or "").startswith("triggers.") and f" {name}," in message.msg
    }
    assert overridden == {
        (LoudTrigger, "on_event"),
        (LoudTrigger, "is_active"),
        (LoudEvent, "fire"),
        (LoudEvent, "handle"),
        (SingleEvent, "fire_single"),
    }, checks.run_checks()


def triggers_filter_users() -> None:
    staff, other = User.objects.create(username="staff", is_staff=True), User.objects.create(username="other")
    trigger = StaffTrigger.objects.create(name="staff", is_enabled=True)
    event = SomethingHappenedEvent.objects.create(trigger=trigger)
    WriteNoteAction.objects.create(trigger=trigger)

    fire(SomethingHappenedEvent, users=[staff, other], context={"text": "named"})
    fire(SomethingHappenedEvent, users=User.objects.all(), context={"text": "queried"})
    expand_all()
    event.handle(staff.pk, text="handled")
    event.handle(other.pk, text="handled")
    perform_all()
    assert sorted(notes()) == [(str(staff.pk), text) for text in ("handled", "named", "queried")]
    assert {run.user_id for run in Run.objects.filter(status="succeeded")} == {staff.pk}


def events_are_fired_and_handled_their_own_way() -> None:
    user = User.objects.get(username="other")
    trigger = Trigger.objects.create(name="loud", is_enabled=True)
    WriteNoteAction.objects.create(trigger=trigger)
    loud, single = (kind.objects.create(trigger=trigger) for kind in (LoudEvent, SingleEvent))

    assert heard_of(loud.fire, User.objects.filter(pk=user.pk)) == ["loud"]
    assert heard_of(loud.fire_single, user.pk) == ["loud"]
    assert heard_of(loud.handle, user.pk) == ["loudly handled"]
    assert heard_of(handle_event, loud.pk, user.pk) == ["loudly handled"]
    assert heard_of(single.fire_single, user.pk) == ["single"]
    assert heard_of(Event.objects.get(pk=single.pk).fire, User.objects.filter(pk=user.pk)) == [""]


def heard_of(call: Any, *arguments: Any) -> list[str]:
    Note.objects.all().delete()
    call(*arguments)
    expand_all()
    perform_all()
    return [text for _, text in notes()]


def expand_all() -> None:
    for chunk in AudienceChunk.objects.filter(done_at=None):
        expand(chunk.pk)
