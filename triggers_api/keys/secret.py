"""The secrets of keys: how they are made, and what is kept of them."""

from __future__ import annotations

import re
import secrets
import string
from hashlib import sha256
from typing import Final

#: What every secret begins with, so that people and scanners of source code know one when they see it.
MARK: Final = "trg_"
#: Letters and digits alone: a double click selects the whole.
ALPHABET: Final = string.ascii_letters + string.digits
_SECRET: Final = re.compile(rf"({MARK}[A-Za-z0-9]{{8}})_[A-Za-z0-9]{{43}}")


def new() -> str:
    """A secret of 256 random bits behind the visible prefix, ``trg_AbCd1234_…``."""
    return f"{MARK}{_letters(8)}_{_letters(43)}"


def prefix(secret: str) -> str | None:
    """The part that may be shown; None for what cannot be a secret."""
    match = _SECRET.fullmatch(secret)
    return match and match[1]


def digest(secret: str) -> str:
    """
    What is kept in place of the secret.

    One round of SHA-256 without salt is enough here, and right for every request: slow hashes and salts protect
    passwords, which are few enough to be guessed. Nobody guesses 256 random bits.
    """
    return sha256(secret.encode()).hexdigest()


def _letters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))
