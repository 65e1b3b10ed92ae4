"""Requests that are refused, by what is wrong with them, and the world in which they are made."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client, override_settings
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient
from rest_framework.throttling import UserRateThrottle

from tests.acceptance.scenario import a_trigger
from tests.api.outage import DownDatabase
from tests.app.models import TaskCompletedEvent
from tests.probe.models import ProbeEvent, RecordEffectAction, RefusingAction
from tests.variety.models import CheckedEvent
from triggers import fire
from triggers.contrib.events.models import EventType, NamedEvent
from triggers.models import Run, Trigger
from triggers.running import advance
from triggers_api.keys import secret
from triggers_api.keys.authentication import ApiKeyAuthentication
from triggers_api.keys.models import ApiKey
from triggers_api.service.people.models import Person

API = "/api/v1/"
NONE: Mapping[str, str] = MappingProxyType({})


@dataclass
class World:
    """An enabled, a disabled and an incomplete trigger, their runs, a person, and somebody who may do anything."""

    root: APIClient
    user: User
    enabled: Trigger
    disabled: Trigger
    incomplete: Trigger
    succeeded: Run
    open: Run
    failed: Run
    paid: EventType

    @classmethod
    def make(cls) -> "World":
        user = User.objects.create_user("ada", email="ada@example.com")
        root = caller(User.objects.create_superuser("root"))
        enabled = a_trigger(RecordEffectAction(), name="Enabled")
        refusing = a_trigger(RefusingAction(), name="Refusing", event=TaskCompletedEvent())
        runs = []
        for kind in (ProbeEvent, TaskCompletedEvent, ProbeEvent):
            runs.append(fire(kind, users=user).runs.get())
            if len(runs) < 3:
                advance([runs[-1].pk])
        refusing.delete()
        paid = EventType.objects.create(name="order.paid")
        a_trigger(RecordEffectAction(), name="Paid", event=NamedEvent(event_type=paid))
        return cls(
            paid=paid,
            root=root,
            user=user,
            enabled=enabled,
            disabled=a_trigger(RecordEffectAction(), name="Disabled", event=CheckedEvent(), is_enabled=False),
            incomplete=Trigger.objects.create(name="Incomplete"),
            succeeded=runs[0],
            failed=runs[1],
            open=runs[2],
        )

    def raw(self, body: bytes, path: str = "fire/", content_type: str = "application/json", **headers: str) -> Any:
        return self.root.post(API + path, body, content_type=content_type, headers=headers)

    def fire(self, headers: Mapping[str, str] = NONE, **fields: Any) -> Any:
        """An acceptable request but for these fields; those that are ... are left out."""
        body = {"type": "probe.ProbeEvent", "user": str(self.user.pk)} | fields
        return self.post("fire/", {name: value for name, value in body.items() if value is not ...}, **headers)

    def explain(self, **fields: Any) -> Any:
        return self.post("explain/", {"type": "probe.ProbeEvent", "user": str(self.user.pk)} | fields)

    def batch(self, items: Any, **headers: str) -> Any:
        return self.post("fire/batch/", {"items": items}, **headers)

    def item(self, **fields: Any) -> dict[str, Any]:
        return {"type": "probe.ProbeEvent", "user": str(self.user.pk)} | fields

    def trigger(self, **fields: Any) -> Any:
        return self.post("triggers/", {"type": "triggers.Trigger", "name": "New"} | fields)

    def patch(self, trigger: Trigger, headers: Mapping[str, str] = NONE, **fields: Any) -> Any:
        return self.root.patch(f"{API}triggers/{trigger.pk}/", fields, format="json", headers=headers)

    def event_type(self, fields: Any, headers: Mapping[str, str] = NONE) -> Any:
        return self.root.patch(f"{API}event-types/{self.paid.name}/", fields, format="json", headers=headers)

    def event(self, content_type: str = "application/cloudevents+json", **attributes: Any) -> Any:
        return self.raw(json.dumps(self.cloud_event(**attributes)).encode(), "cloudevents/", content_type)

    def cloud_event(self, **attributes: Any) -> dict[str, Any]:
        event = {
            "specversion": "1.0",
            "type": "probe.ProbeEvent",
            "source": "/shop",
            "id": "1",
            "subject": str(self.user.pk),
        }
        return {name: value for name, value in (event | attributes).items() if value is not ...}

    def events(self, *events: Any) -> Any:
        return self.raw(json.dumps(events).encode(), "cloudevents/", "application/cloudevents-batch+json")

    def export(self) -> Any:
        """The triggers, as a configuration has them: Disabled, Enabled, Incomplete, Paid."""
        return self.get("configuration/").json()["triggers"]

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.root.post(API + path, body, format="json", headers=headers)

    def get(self, path: str, **headers: str) -> Any:
        return self.root.get(API + path, headers=headers)

    def somebody(self, *codenames: str) -> APIClient:
        """Who has these permissions and no others."""
        user = User.objects.create_user("somebody")
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        return caller(user)


def caller(user: User) -> APIClient:
    client = APIClient()
    client.raise_request_exception = False  # the answer is what is looked at
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user).key}")
    return client


TRIGGER: dict[str, Any] = {"type": "triggers.Trigger", "name": "New"}


def configuration(client: APIClient, headers: Mapping[str, str] = NONE, query: str = "", **sections: Any) -> Any:
    return client.put(f"{API}configuration/{query}", sections, format="json", headers=headers)


def person(world: World, key: str = "ada", **fields: Any) -> Any:
    return world.root.put(f"{API}users/{key}/", fields, format="json")


def staff() -> Person:
    return Person.objects.create(key="staff", user=User.objects.create_user("staff", is_staff=True))


def creating(client: APIClient, **fields: Any) -> Any:
    with override_settings(TRIGGERS_API_CREATE_USERS="triggers_api.service.people.registering.register"):
        body = {"type": "probe.ProbeEvent", "create_users": True} | fields
        return client.post(f"{API}fire/", body, format="json")


def nested(levels: int) -> bytes:
    return b'{"context": ' + b"[" * levels + b"]" * levels + b"}"


def with_key(world: World, **fields: Any) -> Any:
    key = {"Idempotency-Key": "order-7"}
    assert world.fire(key, context={"order": 7}).status_code == 202
    return world.fire(key, **fields)


def expired_key(world: World) -> Any:
    key = ApiKey(user=world.user, name="Old", scopes=["runs:read"], expires_at=datetime(2026, 1, 31, tzinfo=UTC))
    text = secret.new()
    key.set_secret(text)
    key.save()
    with override_settings(TRIGGERS_API_AUTHENTICATION_CLASSES=[ApiKeyAuthentication]):
        return APIClient().get(f"{API}runs/", headers={"authorization": f"Bearer {text}"})


def session_without_token(world: World) -> Any:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="root"))
    return client.post(f"{API}fire/", world.item(), content_type="application/json")


class OnceADay(UserRateThrottle):
    scope = "bad_input"
    rate = "1/day"


def throttled(world: World) -> Any:
    cache.clear()
    with override_settings(TRIGGERS_API_THROTTLE_CLASSES=[OnceADay]):
        assert world.get("runs/").status_code == 200
        return world.get("runs/")


def without_database(world: World) -> Any:
    with DownDatabase():
        return world.get("runs/")


NOWHERE = "00000000-0000-7000-8000-000000000000"
NAMED = {"type": "triggers_events.NamedEvent"}
EMAIL = {"type": "app.SendEmailAction", "subject": "S", "message": "M"}

#: By what the page says is wrong.
REQUESTS: dict[str, Callable[[World], Any]] = {
    # JSON
    "malformed JSON": lambda w: w.raw(b'{"type": '),
    "bytes that are not UTF-8": lambda w: w.raw(b'{"type": "\xff"}'),
    "a key twice in an object": lambda w: w.raw(b'{"type": "a", "type": "b"}'),
    "NaN": lambda w: w.raw(b'{"context": {"amount": NaN}}'),
    "a number too large for any number": lambda w: w.raw(b'{"context": {"amount": 1e999}}'),
    "more than 32 levels of objects and lists": lambda w: w.raw(nested(32)),
    "a list at the top": lambda w: w.raw(b"[]"),
    "an empty body": lambda w: w.raw(b"", "fire/batch/"),
    "a body over 1 MiB": lambda w: w.raw(b'{"type": "' + b"x" * 2**20 + b'"}'),
    "U+0000 in a text": lambda w: w.raw(rb'{"type": "\u0000"}'),
    "half of a surrogate pair": lambda w: w.raw(rb'{"type": "\ud83d"}'),
    # HTTP
    "another Content-Type": lambda w: w.raw(b"type=a", content_type="application/x-www-form-urlencoded"),
    "an Accept that cannot be served": lambda w: w.get("runs/", accept="text/csv"),
    "a method that the path does not have": lambda w: w.get("fire/"),
    "a path that is not there": lambda w: w.get("fires/"),
    "no credentials": lambda w: APIClient().get(f"{API}runs/"),
    "bad credentials": lambda w: APIClient().get(f"{API}runs/", headers={"authorization": "Token 0"}),
    "a key that has expired": expired_key,
    "a session without the CSRF token": session_without_token,
    "a permission that is missing": lambda w: w.somebody("view_run").post(f"{API}fire/"),
    "the audience all without its permission": lambda w: w.somebody("fire_event").post(
        f"{API}fire/", {"type": "probe.ProbeEvent", "audience": "all"}, format="json"
    ),
    "too many requests": throttled,
    "a database that is down": without_database,
    # triggers
    "a field that is not known": lambda w: w.trigger(colour="red"),
    "a field that is told only": lambda w: w.trigger(is_enabled=True),
    "a wrong JSON type": lambda w: w.trigger(name=7),
    "a component type that is not known": lambda w: w.trigger(actions=[EMAIL | {"type": "app.SendSmsAction"}]),
    "a field that its validator refuses": lambda w: w.trigger(actions=[EMAIL, EMAIL | {"subject": "x" * 201}]),
    "a component's type changed": lambda w: w.patch(w.enabled, actions=[EMAIL | {"id": w.enabled.actions.get().pk}]),
    "a component of another trigger": lambda w: w.patch(
        w.incomplete, actions=[{"type": "probe.RecordEffectAction", "id": w.enabled.actions.get().pk}]
    ),
    "a component twice": lambda w: w.patch(
        w.enabled, actions=[{"type": "probe.RecordEffectAction", "id": w.enabled.actions.get().pk}] * 2
    ),
    "a name that is taken": lambda w: w.trigger(name="Enabled"),
    "enabling a trigger that is incomplete": lambda w: w.post(f"triggers/{w.incomplete.pk}/enable/"),
    "emptying a trigger that is enabled": lambda w: w.patch(w.enabled, actions=[]),
    "an If-Match that is stale": lambda w: w.patch(w.enabled, {"if-match": '"0"'}, name="Mine"),
    # configuration
    "a configuration that says nothing": lambda w: configuration(w.root),
    "a configuration with a section that is not known": lambda w: configuration(w.root, actions=[]),
    "a configuration with a trigger twice": lambda w: configuration(w.root, triggers=w.export()[1:2] * 2),
    "a configuration with a bad field": lambda w: configuration(
        w.root, triggers=[*w.export()[:1], TRIGGER | {"actions": [EMAIL | {"type": "app.SendSmsAction"}]}]
    ),
    "a configuration that empties a trigger that is enabled": lambda w: configuration(
        w.root, triggers=[TRIGGER | {"name": "Enabled"}]
    ),
    "a configuration with an If-Match that is stale": lambda w: configuration(w.root, {"if-match": '"0"'}, triggers=[]),
    "pruning without its permission": lambda w: configuration(
        w.somebody("view_trigger", "change_trigger"), query="?prune=true", triggers=[]
    ),
    # one trigger
    "the id of no trigger": lambda w: w.get("triggers/0/"),
    # firing
    "an event type that is not known": lambda w: w.fire(type="app.NoEvent"),
    # event types
    "an event type with a name that is none": lambda w: w.post("event-types/", {"name": "order paid"}),
    "an event type with the label of a class": lambda w: w.post("event-types/", {"name": "probe.ProbeEvent"}),
    "an event type with a name that is taken": lambda w: w.post("event-types/", {"name": w.paid.name}),
    "an event type with a new name": lambda w: w.event_type({"name": "order.sold"}),
    "an event type with a schema that is none": lambda w: w.event_type({"context_schema": {"type": "amount"}}),
    "an event type with a schema that leads elsewhere": lambda w: w.event_type(
        {"context_schema": {"$ref": "https://example.com/order.json"}}
    ),
    "an event type with a schema that is too long": lambda w: w.event_type(
        {"context_schema": {"description": "x" * 2**16}}
    ),
    "the name of no event type": lambda w: w.get("event-types/order.lost/"),
    "deleting an event type that triggers use": lambda w: w.root.delete(f"{API}event-types/{w.paid.name}/"),
    "an event type with an If-Match that is stale": lambda w: w.event_type({}, {"if-match": '"0"'}),
    "an event of a type that there is not": lambda w: w.trigger(events=[NAMED | {"event_type": "order.lost"}]),
    "an expression that is none": lambda w: w.trigger(
        events=[NAMED | {"event_type": w.paid.name, "expression": "context."}]
    ),
    "firing events by the label of their class": lambda w: w.fire(type="triggers_events.NamedEvent"),
    "neither type nor event": lambda w: w.fire(type=...),
    "both type and event": lambda w: w.fire(event=w.enabled.events.get().pk),
    "the id of no event": lambda w: w.fire(type=..., event=0),
    "the event of a trigger that is disabled": lambda w: w.fire(type=..., event=w.disabled.events.get().pk),
    "no audience": lambda w: w.fire(user=...),
    "two audiences": lambda w: w.fire(users=["1"]),
    "no users": lambda w: w.fire(user=..., users=[]),
    "too many users": lambda w: w.fire(user=..., users=list(range(1, 1002))),
    "a malformed user id": lambda w: w.fire(user=..., users=["1", "ada"]),
    "a user who is not known": lambda w: w.fire(user="987654"),
    "users of whom none is known": lambda w: w.fire(user=..., users=["987654", "987655"]),
    "an audience that is not known": lambda w: w.fire(user=..., audience="customers"),
    "a context that is no object": lambda w: w.fire(context=[]),
    "a context against the schema of its event": lambda w: w.fire(
        type="variety.CheckedEvent", context={"order": {"amount": "a lot"}}
    ),
    "a context with a key that is reserved": lambda w: w.fire(context={"user": 1}),
    "a negative delay": lambda w: w.fire(delay="-PT1S"),
    "a delay beyond all dates": lambda w: w.fire(delay="P9999999D"),
    "a duration of another form": lambda w: w.fire(delay="1 day"),
    "delay and scheduled_at": lambda w: w.fire(delay="PT1S", scheduled_at="2026-01-31T09:00:00Z"),
    "a moment without offset": lambda w: w.fire(occurred_at="2026-01-31T09:00:00"),
    "an Idempotency-Key that is no key": lambda w: w.fire({"Idempotency-Key": ""}),
    "an Idempotency-Key used for other content": lambda w: with_key(w, context={"order": 8}),
    # batches
    "an empty batch": lambda w: w.batch([]),
    "a batch of more than 100": lambda w: w.batch([w.item()] * 101),
    "a batch with one bad item": lambda w: w.batch([w.item(), w.item(type="app.NoEvent"), w.item()]),
    "a batch with a bad field in one item": lambda w: w.batch([w.item(), w.item(delay=1)]),
    "a batch with an Idempotency-Key": lambda w: w.batch([w.item()], **{"Idempotency-Key": "1"}),
    # explain
    "explaining more than 100 users": lambda w: w.post(
        "explain/", {"type": "probe.ProbeEvent", "users": list(range(1, 102))}
    ),
    # CloudEvents
    "a CloudEvent without an attribute that is required": lambda w: w.event(id=...),
    "a CloudEvent without a subject": lambda w: w.event(subject=...),
    "a CloudEvent of another specversion": lambda w: w.event(specversion="0.3"),
    "a CloudEvent with data and data_base64": lambda w: w.event(data={}, data_base64="e30="),
    "a CloudEvent of an unknown type in a batch": lambda w: w.events(
        w.cloud_event(), w.cloud_event(id="2", type="a.B")
    ),
    "an empty batch of CloudEvents": lambda w: w.events(),
    # people
    "creating users without its permission": lambda w: creating(w.somebody("fire_event"), user="1"),
    "creating an audience": lambda w: creating(w.root, audience="all"),
    "a person's key that is none": lambda w: person(w, "a b"),
    "an e-mail address of a person that is none": lambda w: person(w, email="ada@"),
    "a time zone that there is not": lambda w: person(w, time_zone="Mars/Olympus"),
    "attributes that are no object": lambda w: person(w, attributes=["gold"]),
    "attributes that are too long": lambda w: person(w, attributes={"text": "x" * 2**16}),
    "changing a person who may sign in": lambda w: person(w, staff().key),
    "a person who is not known": lambda w: w.get("users/nobody/"),
    # lists
    "a cursor that is none": lambda w: w.get("runs/?cursor=abc"),
    "a query parameter that is not known": lambda w: w.get("activities/?status=failed"),
    "a query parameter where none is taken": lambda w: w.post(f"runs/{w.failed.pk}/retry/?force=1", {}),
    "a query parameter twice": lambda w: w.get("runs/?status=failed&status=failed"),
    "a limit that is none": lambda w: w.get("runs/?limit=101"),
    "an empty value in a query": lambda w: w.get("runs/?occurrence="),
    # runs
    "a malformed id": lambda w: w.get("runs/abc/"),
    "the id of no run": lambda w: w.get(f"runs/{NOWHERE}/"),
    "cancelling a run that has ended": lambda w: w.post(f"runs/{w.succeeded.pk}/cancel/"),
    "retrying a run that has not failed": lambda w: w.post(f"runs/{w.succeeded.pk}/retry/"),
    "replaying a run that has not ended": lambda w: w.post(f"runs/{w.open.pk}/replay/"),
    "replaying a run whose event is gone": lambda w: w.post(f"runs/{w.failed.pk}/replay/"),
    "a body where none is taken": lambda w: w.post(f"runs/{w.open.pk}/cancel/", {"force": True}),
}
