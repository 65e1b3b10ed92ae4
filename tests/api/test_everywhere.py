"""On every path, whatever is sent: no failure of the server, no HTML, and a problem where something is wrong."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group

from tests.api.bad_input import API, World
from tests.api.described import whole
from tests.fuzz.world import a_new_trigger
from triggers.models import Activity

pytestmark = pytest.mark.django_db

#: The paths of the document, and its own.
PATHS = [*whole()["paths"], "/schema/", "/docs/"]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "FIRE")
SENDING = ("post", "put", "patch")
NINES = tuple("9" * length for length in (19, 20, 100, 4299, 4301))


def listed(place: str) -> list[str]:
    """The lines under that heading in the file of what is sent."""
    text = (Path(__file__).parent / "hostile.txt").read_text(encoding="utf-8")
    return text.partition(f"[{place}]\n")[2].partition("\n\n")[0].splitlines()


#: In the place of an id, and for a parameter of a query.
IDS = (*listed("ids"), "x" * 3000, *NINES)
VALUES = (*listed("parameters"), "", "a" * 5000, *NINES)
QUERIES = (*listed("queries"), "&".join(["limit=1"] * 1001), "x" * 60_000)
#: In the place of any value of a body; what nobody reads; whole bodies.
JSON = (*listed("JSON"), f'"{"a" * 100_000}"', "9" * 4000, "[" * 20 + "]" * 20)
UNREAD = (*listed("no JSON"), "9" * 5000, "[" * 100 + "]" * 100, '{"a":' * 100 + "1" + "}" * 100)
BODIES = (*JSON, *UNREAD, "", " ", "\x0b", "[{}]", "\ufeff{}", "[" * 100_000, '{"a":' * 100_000)
#: Names and values of headers.
HEADERS = (
    "If-Match",
    "If-None-Match",
    "Idempotency-Key",
    "Accept",
    "Accept-Language",
    "Content-Encoding",
    "Authorization",
)
CE_HEADERS = ("ce-type", "ce-id", "ce-x", "ce-", "ce-subject", "ce-time", "ce-data", "WebHook-Request-Origin")
HEADER_VALUES = (*listed("headers"), "", " ", "\t", "a" * 8000, "Bearer " + "x" * 5000)


@pytest.fixture
def world() -> World:
    world = World.make()
    Activity.objects.get_or_create(trigger=world.enabled, user=world.user)
    Group.objects.create(name="staff")
    return world


def send(
    world: World, method: str, path: str, body: str | bytes = "", type_: str = "application/json", **options: Any
) -> None:
    """The request is answered, and with a problem if it is refused."""
    sent: Any = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    response = world.root.generic(method.upper(), path, sent, content_type=type_, **options)
    what = f"{method} {path[:200]} {type_} {sent[:200]!r} {options!r}: {response.content[:200]!r}"
    assert response.status_code < 500, what
    if response.status_code < 400:
        assert b"<html" not in response.content.lower() or path.startswith(f"{API}docs"), what
        return
    assert response.headers["Content-Type"] == "application/problem+json", what
    if method != "HEAD":
        problem = response.json()
        assert problem.keys() == {"type", "title", "status", "detail", "code", "errors"}, what
        assert problem["status"] == response.status_code, what


def address(world: World, path: str, id: object = None) -> str:
    """The path, about something that there is, or about that id."""
    there_is = {
        "activities": Activity.objects.values_list("pk", flat=True)[0],
        "component-types": "app.ClockEvent",
        "occurrences": world.open.occurrence_id,
        "runs": world.open.pk,
        "triggers": world.disabled.pk,
        "users": "ada",
    }
    id = there_is.get(path.split("/")[1]) if id is None else id
    return API + path[1:].replace("{id}", str(id)).replace("{type}", str(id)).replace("{key}", str(id))


def operations(*methods: str) -> list[tuple[str, str]]:
    return [(method, path) for path, item in whole()["paths"].items() for method in item if method in methods]


def parameters(path: str) -> Iterator[str]:
    for parameter in whole()["paths"].get(path, {}).get("get", {}).get("parameters", ()):
        if parameter["in"] == "query":
            yield parameter["name"]
    yield from ("format", "unknown")


@pytest.mark.parametrize("path", PATHS)
def test_whatever_the_method(world: World, path: str) -> None:
    there = address(world, path)
    for method in METHODS:
        for variant in (there, there.rstrip("/"), f"{there}/", f"{there}?x=1", f"{there}%00"):
            for body in ("", "{}", "[]"):
                if method != "DELETE" or variant.startswith(f"{there}%"):
                    send(world, method, variant, body)


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for method, path in operations("get", "delete", *SENDING) if "{" in path]
)
def test_whatever_the_id(world: World, method: str, path: str) -> None:
    for id in IDS:
        if method != "delete" or id != "01":  # which is 1
            send(world, method, address(world, path, id), "{}" if method in SENDING else "")


@pytest.mark.parametrize("path", [path for path in PATHS if "{" not in path])
def test_whatever_the_query(world: World, path: str) -> None:
    for name in parameters(path):
        for value in VALUES:
            send(world, "GET", f"{address(world, path)}?{name}={value}")
    for query in QUERIES:
        send(world, "GET", f"{address(world, path)}?{query}")


@pytest.mark.parametrize("order", ["id", "-id", "name", "-name"])
def test_whatever_the_cursor(world: World, order: str) -> None:
    for cursor in (*listed("cursors"), *VALUES, *(f"{order}:{value}" for value in VALUES)):
        send(world, "GET", f"{API}triggers/?order={order}&cursor={cursor}")


@pytest.mark.parametrize(("method", "path"), [*operations("get", *SENDING), ("get", "/schema/"), ("get", "/docs/")])
def test_whatever_the_headers(world: World, method: str, path: str) -> None:
    body = json.dumps(world.item()) if method in SENDING else ""
    for name in HEADERS:
        for value in HEADER_VALUES:
            send(world, method, address(world, path), body, headers={name: value})


@pytest.mark.parametrize("method", ["post", "options"])
def test_whatever_the_headers_of_cloudevents(world: World, method: str) -> None:
    right = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/shop", "ce-type": "probe.ProbeEvent"}
    for name in CE_HEADERS:
        for value in HEADER_VALUES:
            headers = right | {"ce-subject": str(world.user.pk)} | {name: value}
            send(world, method, f"{API}cloudevents/", "{}", headers=headers)


@pytest.mark.parametrize(("method", "path"), operations(*SENDING))
def test_whatever_the_content_type(world: World, method: str, path: str) -> None:
    for type_ in listed("content types"):
        for body in ("", "{}", "[]", json.dumps(world.item())):
            send(world, method, address(world, path), body, type_)


@pytest.mark.parametrize(("method", "path"), operations(*SENDING))
def test_whatever_the_body(world: World, method: str, path: str) -> None:
    bodies: list[str | bytes] = [*BODIES, b"\xff", b"\xfe\xff\x00{\x00}", b"{}\x00", b"\x1f\x8b\x08"]
    family = ("application/cloudevents+json", "application/cloudevents-batch+json")
    for type_ in ("application/json", *(family if path == "/cloudevents/" else ())):
        for body in bodies:
            send(world, method, address(world, path), body, type_)


def properties(name: str) -> tuple[str, ...]:
    return tuple(whole()["components"]["schemas"][name]["properties"])


FIELDS = {
    "fire/": (*properties("FireRequest"), "unknown", "a/b~c"),
    "explain/": ("users",),
    "cloudevents/": (*properties("CloudEventRequest"), "ext", "A", "data_base64"),
    "triggers/": (*properties("TriggersTriggerRequest"), "is_enabled", "id", "missing"),
}


@pytest.mark.parametrize("path", FIELDS)
def test_whatever_the_field(world: World, path: str) -> None:
    bodies = {"triggers/": {"type": "triggers.Trigger", "name": "New"}, "cloudevents/": world.cloud_event()}
    type_ = "application/cloudevents+json" if path == "cloudevents/" else "application/json"
    numbers = count()
    for name in FIELDS[path]:
        for value in (*JSON, *UNREAD):
            others = {key: item for key, item in bodies.get(path, world.item()).items() if key != name}
            others |= {"id": f"{next(numbers)}"} if path == "cloudevents/" and name != "id" else {}
            text = "".join(f"{json.dumps(key)}: {json.dumps(item)}, " for key, item in others.items())
            send(world, "POST", API + path, f"{{{text}{json.dumps(name)}: {value}}}", type_)


@pytest.mark.parametrize("kind", ["Event", "Condition", "Action"])
def test_whatever_the_field_of_a_component(world: World, kind: str) -> None:
    mapping = whole()["components"]["schemas"][f"{kind}Request"]["discriminator"]["mapping"]
    numbers = count()
    for type_, ref in mapping.items():
        for name in (*properties(ref.rpartition("/")[2]), "trigger"):
            for value in JSON:
                others = "" if name == "type" else f'"type": "{type_}", '
                component = f'{{{others}"{name}": {value}}}'
                body = f'{{"type": "triggers.Trigger", "name": "{next(numbers)}", "{kind.lower()}s": [{component}]}}'
                send(world, "POST", f"{API}triggers/", body)


def test_components_of_every_class_are_told(world: World) -> None:
    for _ in range(60):
        send(world, "GET", f"{API}triggers/{a_new_trigger()}/")
    send(world, "GET", f"{API}triggers/?limit=100")
