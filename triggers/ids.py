"""Identifiers of records: UUIDs of version 7 (RFC 9562), which sort by the time they were made."""

from __future__ import annotations

import secrets
import time
from datetime import datetime
from uuid import UUID


def uuid7() -> UUID:
    """A new UUID: 48 bits of milliseconds, 12 bits of their fraction, 62 random bits."""
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = (nanoseconds << 12) // 1_000_000
    value = (milliseconds << 80) | (0x7 << 76) | (fraction << 64) | (0b10 << 62) | secrets.randbits(62)
    return UUID(int=value)


def first_uuid7(moment: datetime) -> UUID:
    """The id that sorts before all that are made at the moment or later, and after those made before."""
    return UUID(int=(int(moment.timestamp() * 1000) << 80) | (0x7 << 76) | (0b10 << 62))
