"""What `triggers serve --demo` starts with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from django.contrib.auth.models import Permission, User
from django.db import transaction

from triggers.models import ActionCountCondition, Trigger
from triggers_api.keys import secret
from triggers_api.keys.models import ApiKey
from triggers_api.service import folder
from triggers_api.service.demo.models import HasEmailAddressCondition, OrderPlacedEvent, SendEmailAction
from triggers_api.service.people import registering
from triggers_api.service.people.models import Person

ADMIN: Final = "admin"
SHOP: Final = "shop"
PEOPLE: Final = {"ada": "Ada Lovelace", "grace": "Grace Hopper", "alan": "Alan Turing"}
WITHOUT_EMAIL: Final = "alan"
TRIGGER: Final = "Thank for an order"
LIMIT: Final = 3

SUBJECT: Final = "Your order {{ order }}"
MESSAGE: Final = """\
Dear {{ user.first_name }},

thank you for your order {{ order }}.
"""


@dataclass(frozen=True)
class Demo:
    """What a person needs to try it: the admin's password, if it is still the first one, and the shop's API key."""

    password: str | None
    api_key: str
    customer: Person
    without_email: Person


def seed(data: Path) -> Demo:
    """The demo's people, logins and trigger are there. What was there before stays as it is."""
    password = folder.secret(data / "demo-password", lambda: secrets.token_urlsafe(9))
    # Kept, so that the line that was pasted yesterday is good today.
    api_key = folder.secret(data / "demo-api-key", secret.new)
    with transaction.atomic():
        is_valid = _admin_has(password)
        people = {key: _person(key, name) for key, name in PEOPLE.items()}
        _key(_shop(), api_key)
        if not Trigger.objects.filter(name=TRIGGER).exists():
            _trigger()
    return Demo(
        password=password if is_valid else None,
        api_key=api_key,
        customer=people["ada"],
        without_email=people[WITHOUT_EMAIL],
    )


def _admin_has(password: str) -> bool:
    """Whether the admin's password is this one; it is if there was no admin."""
    admin = User.objects.filter(username=ADMIN).first()
    if admin is not None:
        return admin.check_password(password)
    User.objects.create_superuser(ADMIN, "admin@example.com", password)
    return True


def _person(key: str, name: str) -> Person:
    if not Person.objects.filter(key=key).exists():
        person, _ = registering.put(key, email="" if key == WITHOUT_EMAIL else f"{key}@example.com", name=name)
        person.user.first_name, person.user.last_name = name.split()
        person.user.save()
    return registering.find(key)


def _shop() -> User:
    """The other system: it may fire events and see what became of them."""
    shop, created = User.objects.get_or_create(username=SHOP)
    if created:
        shop.set_unusable_password()
        shop.save()
        codenames = ("fire_event", "view_occurrence", "view_run")
        shop.user_permissions.set(Permission.objects.filter(content_type__app_label="triggers", codename__in=codenames))
    return shop


def _key(shop: User, text: str) -> None:
    if ApiKey.find(text) is None:
        key = ApiKey(name="The shop of the demo", user=shop, scopes=["fire", "runs:read"])
        key.set_secret(text)
        key.save()


def _trigger() -> None:
    trigger = Trigger.objects.create(
        name=TRIGGER,
        description=f"Sends an e-mail to people who order for 10 or more, {LIMIT} times at most.",
        is_enabled=True,
    )
    OrderPlacedEvent.objects.create(trigger=trigger, minimum_amount=Decimal(10))
    HasEmailAddressCondition.objects.create(trigger=trigger)
    ActionCountCondition.objects.create(trigger=trigger, limit=LIMIT)
    SendEmailAction.objects.create(trigger=trigger, subject=SUBJECT, message=MESSAGE)
