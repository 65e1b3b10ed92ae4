from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from tests.compat.projects.notes.models import SomethingHappenedEvent
from tests.compat.projects.notes.scenes import a_trigger, celery, notes
from triggers import fire
from triggers.models import Occurrence, Run


def succeed(request: HttpRequest, text: str) -> HttpResponse:
    fire(SomethingHappenedEvent, users=User.objects.get(), context={"text": text})
    return HttpResponse(f"{len(notes())} notes before the commit")


def fail(request: HttpRequest, text: str) -> HttpResponse:
    succeed(request, text)
    raise RuntimeError(text)


urlpatterns = [path("succeed/<text>", succeed), path("fail/<text>", fail)]


def play() -> None:
    celery()
    User.objects.create(username="ada")
    a_trigger()
    client = Client(raise_request_exception=False)
    assert client.get("/fail/undone").status_code == 500
    assert not Occurrence.objects.exists()
    assert client.get("/succeed/done").content == b"0 notes before the commit"
    assert [text for _, text in notes()] == ["done"]
    assert [run.status for run in Run.objects.all()] == ["succeeded"]
