"""Bodies of requests as the schema has them, made true where only the database can tell what will be accepted."""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from tests.fuzz import world
from triggers.context import RESERVED_KEYS
from triggers.models import Trigger

_fresh = count(1)
_taken: set[str] = set()


def new(text: str, most: int) -> str:
    """The text, or another if it was used before."""
    while text in _taken:
        text = f"{text[: most - 8]}{next(_fresh):x}"
    _taken.add(text)
    return text


def true_trigger(body: Any, trigger: int | None = None) -> None:
    if "name" in body and Trigger.objects.filter(name=body["name"]).exists():
        body["name"] = f"{next(_fresh)}"
    for kind in world.KINDS:
        taken: set[int] = set()
        for component in body.get(f"{kind.__name__.lower()}s", ()):
            true_component(component, kind, trigger, taken)


def true_configuration(body: Any) -> None:
    for trigger in body.get("triggers", ()):
        trigger["name"] = new(trigger["name"], 64)
        true_trigger(trigger)
        if not (trigger.get("events") and trigger.get("actions")):
            trigger.pop("is_enabled", None)


def true_component(component: Any, kind: Any, trigger: int | None, taken: set[int]) -> None:
    id = None if trigger is None else world.a_component(kind, component["type"], trigger, taken)
    if "id" in component:
        if id is None:
            del component["id"]
        else:
            component["id"] = id
    for name, truth in COMPONENT_FIELDS.items():
        if name in component and (component[name] is not None or name == "version"):
            component[name] = truth(component[name])
    if component.get("flag") and component.get("maybe"):  # refused by its clean
        component["flag"] = False


def no_eternity(duration: str) -> str:
    """A duration that leads to no date beyond the last, and that every database can hold."""
    return duration if len(duration) < 8 else "P1DT1.5S"


def understood(url: str) -> str:
    """A URL whose host could be one: what Django asks of hosts no format says."""
    try:
        URLValidator()(url)
    except ValidationError:
        return url and "https://example.com/"
    return url


#: What fields hold that only the database or the code of their own app knows.
COMPONENT_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "big": lambda value: 14 if value == 13 else value,
    "delay": no_eternity,
    "group": lambda value: world.a_group(),
    "groups": lambda values: [world.a_group() for _ in values],
    "limit": lambda value: no_eternity(value) if isinstance(value, str) else value,
    "message": lambda text: text.replace("{", "("),
    "period": no_eternity,
    "person": lambda value: type(value)(world.a_user()),
    "subject": lambda text: text.replace("{", "("),
    "text": lambda text: "good" if text == "bad" else text,
    "url": understood,
    "version": lambda value: "1.0",
}


def true_firing(body: Any) -> None:
    for name, truth in FIRE_FIELDS.items():
        if name in body:
            body[name] = truth(body[name])


#: What only the database knows; keys that were not used before.
FIRE_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "audience": lambda name: world.turn(("all", "task-owners")),
    "context": lambda context: {key: value for key, value in context.items() if key not in RESERVED_KEYS},
    "delay": no_eternity,
    "event": lambda id: world.an_event(),
    "idempotency_key": lambda key: new(key, 255),
    "user": lambda key: type(key)(world.a_user()),
    "users": lambda keys: [type(key)(world.a_user()) for key in keys],
}


def true_event(event: Any) -> None:
    event["id"] = new(event["id"], 255)
    event["subject"] = str(world.a_user())
    if "data" in event:
        event["data"] = FIRE_FIELDS["context"](event["data"])


def true_firings(body: Any) -> None:
    for item in body["items"]:
        true_firing(item)
