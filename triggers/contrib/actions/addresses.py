"""
Where calls may go: to public addresses, and to hosts that TRIGGERS_WEBHOOK_ALLOWED_HOSTS names.

A URL is taken in one plain form only. Everything that programs read differently, such as numbers that are no dotted
address, names of a user or a dot at the end, is refused before anybody looks where it leads.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from triggers import conf

Address = IPv4Address | IPv6Address

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?"
    r"(?P<path>[/?][a-z0-9._~:/?@!$&'()*+,;=%\[\]-]*)?",
    re.IGNORECASE | re.ASCII,
)
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
#: What a name must not end in, lest it be read as a number.
_NUMBER: Final = re.compile(r"([0-9]+|0x[0-9a-f]*)", re.IGNORECASE)
#: For how many seconds somebody who saves a URL waits until its host has been looked up; and for how long that is
#: after one has taken longer, since a trigger may have a hundred of them.
_PATIENCE: Final = 2.0
_HASTE: Final = 0.05
_PAUSE: Final = 10.0
_hasty_until = 0.0

# Python's own list differs from version to version; what is here is refused by all.
_FORBIDDEN_V4: Final = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' NAT
        "127.0.0.0/8",
        "168.63.129.16/32",  # what machines in Azure ask about themselves
        "169.254.0.0/16",  # link-local, and what most clouds' machines ask about themselves
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
]
#: Global unicast; all else is local, multicast, reserved, or an IPv4 address in disguise.
_PUBLIC_V6: Final = IPv6Network("2000::/3")
_FORBIDDEN_V6: Final = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, benchmarks, identifiers
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
]
#: By this prefix, networks without IPv4 reach all of it: it is what is reached that counts.
_NAT64: Final = IPv6Network("64:ff9b::/96")


class AddressForbidden(Exception):
    """The host has an address that is not public."""


class HostUnknown(Exception):
    """The host was not found, or not in time."""


@dataclass(frozen=True)
class Target:
    """A URL, taken apart."""

    scheme: str
    host: str
    port: int | None
    path: str

    @property
    def netloc(self) -> str:
        """The host as it is written in a URL, and its port if it has one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Whom it is about: what secrets are meant for."""
        return self.scheme, self.host, self.port or DEFAULT_PORTS[self.scheme]

    def addresses(self, patience: float) -> list[Address]:
        """
        Where the host is, looked up once; all of it may be called.

        Raises AddressForbidden, or HostUnknown when it was not found in that many seconds.
        """
        found = [_literal(self.host)] if _literal(self.host) else _look_up(self.host, patience)
        addresses = [address for address in found if address is not None]
        if self.host not in conf.webhook_allowed_hosts() and not all(is_public(address) for address in addresses):
            raise AddressForbidden
        return addresses


def target_of(url: str) -> Target:
    """The URL taken apart. Raises ValidationError for one that is not of the plain form."""
    match = _URL.fullmatch(url)
    if match is None:
        raise ValidationError(
            _("Write a URL as in https://example.com/path, in ASCII, without user name, spaces and “#”."),
            "url_invalid",
        )
    host = match["host"].lower()
    port = None if match["port"] is None else int(match["port"])
    if port is not None and not 0 < port < 2**16:
        raise ValidationError(_("The port must be between 1 and 65535."), "url_invalid")
    path = match["path"] or "/"
    return Target(match["scheme"].lower(), _plain_host(host), port, path if path[0] == "/" else f"/{path}")


def validate_url(url: str) -> None:
    """Raises ValidationError for a URL that could not be called; a host that cannot be found now is let pass."""
    global _hasty_until
    target, begun = target_of(url), monotonic()
    try:
        target.addresses(_HASTE if begun < _hasty_until else _PATIENCE)
    except HostUnknown:
        if monotonic() - begun >= _PATIENCE:
            _hasty_until = monotonic() + _PAUSE
    except AddressForbidden:
        raise ValidationError(
            _("%(host)s is not public: it can be called only if TRIGGERS_WEBHOOK_ALLOWED_HOSTS names it."),
            "address_forbidden",
            {"host": target.host},
        ) from None


def is_public(address: Address) -> bool:
    """Whether everybody on the Internet can reach what has this address."""
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _FORBIDDEN_V4)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _PUBLIC_V6 and address.is_global and not any(address in network for network in _FORBIDDEN_V6)


def _plain_host(host: str) -> str:
    if host.startswith("["):
        try:
            return str(IPv6Address(host[1:-1]))
        except ValueError:
            raise ValidationError(_("The IPv6 address of the URL is none."), "url_invalid") from None
    labels = host.split(".")
    if _literal(host) is None and (not all(map(_LABEL.fullmatch, labels)) or _NUMBER.fullmatch(labels[-1])):
        raise ValidationError(
            _("Write the host as a name, without a dot at its end, or as an address of four decimal numbers."),
            "url_invalid",
        )
    return host


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _look_up(host: str, patience: float) -> list[Address | None]:
    """The system's own answer; it knows no time limit, so a thread waits for it."""
    answers: SimpleQueue[list[Address | None]] = SimpleQueue()
    Thread(target=_ask, args=(host, answers), daemon=True).start()
    try:
        found = answers.get(timeout=max(0.0, patience))
    except Empty:
        found = []
    if not found:
        raise HostUnknown
    return found


def _ask(host: str, answers: SimpleQueue[list[Address | None]]) -> None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        answers.put([])
    else:
        answers.put([_literal(str(entry[4][0])) for entry in found])
