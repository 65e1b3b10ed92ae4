"""Headers of a request, as people write them: “Name: value”, one per line. Their values may be secrets."""

from __future__ import annotations

import re
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

MOST: Final = 20

_LINE: Final = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ \t]*(?P<value>[!-~]([ -~\t]*[!-~])?)[ \t]*")
#: Headers that say how the request is sent, or that are the signature.
_OWN: Final = re.compile(
    r"accept-encoding|connection|content-length|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade"
    r"|proxy-.*|webhook-.*"
)


def parse_headers(text: str) -> dict[str, str]:
    """The headers by name. Raises ValidationError, which tells no value."""
    headers: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.rstrip("\r"))
        if match is None:
            raise ValidationError(
                _("Line %(number)d is not of the form “Name: value” in ASCII."), "header_invalid", {"number": number}
            )
        name = match["name"]
        if _OWN.fullmatch(name.lower()):
            raise ValidationError(
                _("The header %(name)s is set by the call itself."), "header_reserved", {"name": name}
            )
        if name.lower() in (other.lower() for other in headers):
            raise ValidationError(_("The header %(name)s is there twice."), "header_repeated", {"name": name})
        headers[name] = match["value"]
    if len(headers) > MOST:
        raise ValidationError(_("There are more than %(most)d headers."), "headers_too_many", {"most": MOST})
    return headers


def validate_headers(text: str) -> None:
    parse_headers(text)
