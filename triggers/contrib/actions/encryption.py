"""Secrets in the database: only who has the keys of the settings can read them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.db import models
from django.utils.encoding import force_bytes

from triggers import conf

#: What a sealed text begins with, and no secret does.
PREFIX: Final = "$sealed$"

if TYPE_CHECKING:
    TextField = models.TextField[str, str]
else:
    TextField = models.TextField


class SecretField(TextField):
    """
    A text that is encrypted in the database, in dumps and everywhere else but on the instance.

    What none of the keys opens is on the instance as it stands in the database, and saved as such: ``is_sealed`` tells.
    It cannot be searched for.
    """

    def get_prep_value(self, value: Any) -> Any:
        text = super().get_prep_value(value)
        return seal(text) if text and not is_sealed(text) else text

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return value and unseal(value)

    def value_to_string(self, obj: models.Model) -> str:
        return str(self.get_prep_value(self.value_from_object(obj)))


def seal(text: str) -> str:
    """The text, encrypted by the first key; another one each time."""
    return PREFIX + _fernet(tuple(conf.encryption_keys())).encrypt(text.encode()).decode()


def unseal(text: str) -> str:
    """The text that was sealed; the sealed one where none of the keys opens it."""
    if not is_sealed(text):
        return text
    try:
        return _fernet(tuple(conf.encryption_keys())).decrypt(text.removeprefix(PREFIX)).decode()
    except InvalidToken:
        return text


def is_sealed(text: str) -> bool:
    """Whether the text is one that could not be opened."""
    return text.startswith(PREFIX)


@lru_cache(maxsize=8)
def _fernet(keys: Sequence[str | bytes]) -> MultiFernet:
    """Keys are texts of any form: what they are used as is derived from them, and serves nothing else."""
    derived = [HKDF(SHA256(), 32, None, b"triggers.contrib.actions").derive(force_bytes(key)) for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in derived])
