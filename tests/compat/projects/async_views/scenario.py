import asyncio

from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient
from django.urls import path

from tests.compat.projects.notes.models import SomethingHappenedEvent
from tests.compat.projects.notes.scenes import a_trigger, celery, notes
from triggers import afire


async def happen(request: HttpRequest, text: str) -> HttpResponse:
    user = await User.objects.aget()
    occurrence = await afire(SomethingHappenedEvent, users=user, context={"text": text}, key=text)
    return HttpResponse(str(occurrence.replayed))


urlpatterns = [path("happen/<text>", happen)]


async def requests() -> list[bytes]:
    client = AsyncClient()
    responses = await asyncio.gather(*(client.get(f"/happen/{text}") for text in ("one", "two")))
    responses.append(await client.get("/happen/one"))
    return [response.content for response in responses]


def play() -> None:
    celery()
    User.objects.create(username="ada")
    a_trigger()
    assert asyncio.run(requests()) == [b"False", b"False", b"True"]
    assert sorted(text for _, text in asyncio.run(sync_to_async(notes)())) == ["one", "two"]
