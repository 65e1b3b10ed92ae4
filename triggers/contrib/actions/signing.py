"""Standard Webhooks: receivers know by a signature who sends, and by an id what they have had already."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from standardwebhooks import Webhook

_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/]+={0,2}")


def validate_secret(secret: str) -> None:
    """Raises ValidationError for what Standard Webhooks would not take as a secret."""
    try:
        size = len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) if _SECRET.fullmatch(secret) else 0
    except binascii.Error:
        size = 0
    if not 24 <= size <= 64:
        raise ValidationError(
            _("Write “whsec_” and 24 to 64 random bytes in base64, as “openssl rand -base64 32” makes them."),
            "secret_invalid",
        )


def signed(key: str, body: str, secret: str) -> dict[str, str]:
    """The headers by which the receiver of the body can be sure of it."""
    now = datetime.now(UTC)
    return {
        "webhook-id": key,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(key, now, body),
    }
