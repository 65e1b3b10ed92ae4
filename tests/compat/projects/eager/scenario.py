from datetime import timedelta

from django.contrib.auth.models import User

from tests.compat.projects.notes.models import SomethingHappenedEvent
from tests.compat.projects.notes.scenes import a_trigger, celery, notes
from triggers import fire
from triggers.models import Run
from triggers.tasks import handle_event


def play() -> None:
    """Everything has happened when a call returns; delays are ignored, as Celery ignores a countdown then."""
    celery()
    ada, bob = User.objects.create(username="ada"), User.objects.create(username="bob")
    event = a_trigger(limit=4, delay=timedelta(days=1)).events.get()

    fire(SomethingHappenedEvent, users=ada, context={"text": "fire"})
    assert notes()[-1] == (str(ada.pk), "fire")
    event.fire_single(ada.pk, text="fire_single")
    assert notes()[-1] == (str(ada.pk), "fire_single")
    event.fire(User.objects.filter(pk=ada.pk), text="queryset")
    assert notes()[-1] == (str(ada.pk), "queryset")
    handle_event.delay(event.pk, ada.pk, text="task")
    assert notes()[-1] == (str(ada.pk), "task")

    fire(SomethingHappenedEvent, users=[ada, bob], context={"text": "one of two"})
    assert notes()[4:] == [(str(bob.pk), "one of two")]
    assert sorted(run.status for run in Run.objects.all()) == ["skipped"] + ["succeeded"] * 5
