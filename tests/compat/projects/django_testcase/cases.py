"""The project's own tests, run by Django's test command."""

from django.contrib.auth.models import User
from django.test import TestCase, TransactionTestCase

from tests.compat.projects.notes.models import SomethingHappenedEvent
from tests.compat.projects.notes.scenes import a_trigger, notes
from triggers import fire
from triggers.models import Run, Trigger


class InOneTransaction(TestCase):
    """Nothing commits in a TestCase: Django runs what waits for the commit when it is asked to."""

    ada: User

    @classmethod
    def setUpTestData(cls) -> None:
        cls.ada = User.objects.create(username="ada")
        a_trigger(limit=2)

    def test_nothing_is_performed_without_a_commit(self) -> None:
        fire(SomethingHappenedEvent, users=self.ada, context={"text": "fired"})
        assert notes() == []
        assert [run.status for run in Run.objects.all()] == ["pending"]

    def test_what_waits_for_the_commit_performs_it(self) -> None:
        with self.captureOnCommitCallbacks(execute=True):
            fire(SomethingHappenedEvent, users=self.ada, context={"text": "named"})
        with self.captureOnCommitCallbacks(execute=True):
            fire(SomethingHappenedEvent, users=User.objects.all(), context={"text": "queried"})
        with self.captureOnCommitCallbacks(execute=True):
            fire(SomethingHappenedEvent, users=self.ada, context={"text": "too often"})
        assert [text for _, text in notes()] == ["named", "queried"]

    def test_handle_needs_no_commit(self) -> None:
        Trigger.objects.get().events.get().handle(self.ada.pk, text="handled")
        assert [text for _, text in notes()] == ["handled"]


class WithCommits(TransactionTestCase):
    def test_a_commit_performs_it(self) -> None:
        a_trigger()
        fire(SomethingHappenedEvent, users=User.objects.create(username="ada"), context={"text": "fired"})
        assert [text for _, text in notes()] == ["fired"]
