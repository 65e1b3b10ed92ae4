from django.contrib.auth.models import User
from django.db import connections, transaction

from tests.compat.projects.notes.models import SomethingHappenedEvent
from tests.compat.projects.notes.scenes import a_trigger, notes, perform_all
from triggers import fire, sweeping
from triggers.expansion import expand
from triggers.models import Activity, AudienceChunk, Run


def play() -> None:
    assert "triggers_run" in connections["people"].introspection.table_names()
    assert not [name for name in connections["default"].introspection.table_names() if name.startswith("triggers_")]

    ada = User.objects.create(username="ada")
    trigger = a_trigger(limit=2)
    fire(SomethingHappenedEvent, users=ada, context={"text": "named"})
    # The records belong to a transaction on their own database, and to that one only.
    with transaction.atomic("default"):
        fire(SomethingHappenedEvent, users=User.objects.all(), context={"text": "queried"})
        transaction.set_rollback(True, "default")
    with transaction.atomic("people"):
        fire(SomethingHappenedEvent, users=ada, context={"text": "rolled back"})
        transaction.set_rollback(True, "people")
    expand(AudienceChunk.objects.get().pk)
    perform_all()
    trigger.events.get().handle(ada.pk, text="too often")
    trigger.on_event(ada, {"text": "too often"})
    with Activity.lock(ada, trigger):
        pass

    assert sorted(text for _, text in notes()) == ["named", "queried"]
    assert Activity.objects.get().action_count == 3
    assert not Run.objects.open().exists()
    assert sweeping.sweep("celery") == 0
