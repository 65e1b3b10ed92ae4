"""``manage.py triggers_key``: make, list and revoke API keys."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from triggers.exceptions import UnknownEventType
from triggers.registry import event_kind
from triggers_api.keys import event_types, secret
from triggers_api.keys.models import ApiKey
from triggers_api.keys.scopes import SCOPES

_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes"}


class Command(BaseCommand):
    help = "Make, list and revoke API keys."

    def add_arguments(self, parser: CommandParser) -> None:
        operations = parser.add_subparsers(dest="operation", required=True, metavar="create | list | revoke")
        create = operations.add_parser("create", help="make a key; its secret is the last line of what is printed")
        create.add_argument("--user", required=True, help="whom the key acts as, by user name")
        create.add_argument("--name", required=True, help="which system has the key, and what for")
        create.add_argument(
            "--scope", action="append", required=True, dest="scopes", metavar="SCOPE", help=", ".join(SCOPES)
        )
        create.add_argument(
            "--event-type",
            action="append",
            default=[],
            dest="event_types",
            metavar="TYPE",
            help="an event that the key may be used for, such as app.TaskCompletedEvent; without this option, all",
        )
        create.add_argument("--expires-in", metavar="90d", help="days (90d), hours (12h) or minutes (30m); else never")
        operations.add_parser("list", help="show all keys, the newest first")
        revoke = operations.add_parser("revoke", help="end a key at once")
        revoke.add_argument("prefix", help="the key's prefix, or its whole secret")

    def handle(self, *args: Any, **options: Any) -> None:
        {"create": self._create, "list": self._list, "revoke": self._revoke}[options["operation"]](options)

    def _create(self, options: dict[str, Any]) -> None:
        key = ApiKey(
            name=options["name"],
            user=_user(options["user"]),
            scopes=list(dict.fromkeys(options["scopes"])),
            event_types=list(dict.fromkeys(map(_event_type, options["event_types"]))),
            expires_at=_moment_in(options["expires_in"]),
        )
        key.set_secret(secret.new())
        try:
            key.full_clean()
        except ValidationError as error:
            wrong = (f"--{name.removesuffix('s')}: {' '.join(texts)}" for name, texts in error.message_dict.items())
            raise CommandError(" ".join(wrong)) from None
        key.save()
        self.stdout.write(f"The key {key.prefix} acts as {key.user}. Its secret is shown this once:")
        self.stdout.write(str(key.secret))

    def _list(self, options: dict[str, Any]) -> None:
        for key in ApiKey.objects.select_related("user").order_by("-pk").iterator():
            self.stdout.write(f"{key.prefix}  {key.state}  {key.name}, as {key.user}")
            self.stdout.write(f"    scopes: {', '.join(key.scopes)}")
            if key.event_types:
                self.stdout.write(f"    event types: {', '.join(key.event_types)}")
            self.stdout.write(f"    expires: {_moment(key.expires_at)}; last used: {_moment(key.last_used_at)}")

    def _revoke(self, options: dict[str, Any]) -> None:
        # Whoever finds a key where it should not be has its secret; no answer repeats it.
        prefix = secret.prefix(options["prefix"]) or options["prefix"]
        keys = ApiKey.objects.filter(prefix=prefix)
        if keys.revoke():
            self.stdout.write(f"The key {prefix} is revoked.")
        elif keys.exists():
            self.stdout.write(f"The key {prefix} was revoked before.")
        else:
            raise CommandError("There is no key with this prefix. These are the keys: triggers_key list")


def _user(name: str) -> Any:
    users = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(name)
    except users.DoesNotExist:
        raise CommandError(f"--user: There is no user “{name}”.") from None


def _event_type(label: str) -> str:
    try:
        event_kind(label)
    except UnknownEventType as error:
        raise CommandError(f"--event-type: {error} There are {', '.join(event_types.installed())}.") from None
    return label


def _moment_in(text: str | None) -> datetime | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]*)([dhm])", text)
    if match is None:
        raise CommandError(f"--expires-in: Write “{text}” as 90d, 12h or 30m.")
    try:
        return timezone.now() + timedelta(**{_UNITS[match[2]]: int(match[1])})
    except (OverflowError, ValueError):  # more than there are dates, or digits
        raise CommandError("--expires-in: That is beyond the last date there is.") from None


def _moment(moment: datetime | None) -> str:
    return moment.isoformat(timespec="minutes") if moment else "never"
