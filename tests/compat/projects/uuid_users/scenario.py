from unittest import mock
from uuid import uuid4

from django.test import override_settings
from rest_framework.test import APIClient

from tests.compat.projects.notes.models import SomethingHappenedEvent
from tests.compat.projects.notes.scenes import a_trigger, notes, perform_all
from tests.compat.projects.uuid_users.models import Person
from triggers import fire
from triggers.expansion import expand
from triggers.models import Activity, AudienceChunk, Occurrence
from triggers.tasks import handle_event


def play() -> None:
    ada, bob = (Person.objects.create(email=f"{name}@example.com") for name in ("ada", "bob"))
    trigger = a_trigger(limit=4)

    fire(SomethingHappenedEvent, users=ada, context={"text": "instance"})
    fire(SomethingHappenedEvent, users=str(ada.pk), context={"text": "text"}, fired_by=bob)
    fire(SomethingHappenedEvent, users=Person.objects.filter(pk=ada.pk), context={"text": "queryset"})
    expand(AudienceChunk.objects.get().pk)
    perform_all()
    event = trigger.events.get()
    handle_event(event.pk, str(ada.pk), text="task")  # a message holds the key as text
    event.fire_single(ada.pk, text="too often")
    event.fire_single(bob.pk, text="single")
    perform_all()

    fire(SomethingHappenedEvent, audience="all", context={"text": "audience"})
    chunk_id = AudienceChunk.objects.latest("pk").pk
    with mock.patch.object(AudienceChunk, "SIZE", 1):
        assert [expand(chunk_id) for _ in range(3)] == [True, True, False]
    assert {run.user for run in Occurrence.objects.latest("pk").runs.all()} == {bob}
    perform_all()

    of_ada = [(str(ada.pk), text) for text in ("instance", "text", "queryset", "task")]
    assert sorted(notes()) == sorted([*of_ada, (str(bob.pk), "single"), (str(bob.pk), "audience")])
    assert dict(Activity.objects.values_list("user", "action_count")) == {ada.pk: 4, bob.pk: 2}

    over_http(ada, bob)

    ada.delete()
    assert set(Activity.objects.values_list("user", flat=True)) == {bob.pk}
    assert {run.user_id for run in Occurrence.objects.latest("pk").runs.all()} <= {bob.pk}


def over_http(ada: Person, bob: Person) -> None:
    client = APIClient()
    client.force_authenticate(bob)
    body = {"type": "notes.SomethingHappenedEvent", "context": {"text": "HTTP"}}
    unknown = str(uuid4())

    fired = client.post("/api/v1/fire/", body | {"users": [str(ada.pk), str(bob.pk), unknown]}, format="json")
    assert fired.status_code == 202, fired.content
    assert {run["user"] for run in fired.json()["runs"]} == {str(ada.pk), str(bob.pk)}
    assert fired.json()["unknown_users"] == [unknown]
    listed = client.get("/api/v1/runs/", {"user": str(ada.pk), "occurrence": fired.json()["id"]}).json()["results"]
    assert [run["user"] for run in listed] == [str(ada.pk)]
    assert client.post("/api/v1/fire/", body | {"user": "1"}, format="json").status_code == 400

    with override_settings(TRIGGERS_API_USER_FIELD="email"):
        named = client.post("/api/v1/fire/", body | {"user": "ada@example.com"}, format="json")
        assert [run["user"] for run in named.json()["runs"]] == ["ada@example.com"]
        (activity,) = client.get("/api/v1/activities/", {"user": "bob@example.com"}).json()["results"]
        assert (activity["user"], activity["action_count"]) == ("bob@example.com", 2)
