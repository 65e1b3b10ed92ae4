"""
From the header ``Authorization: Bearer trg_…`` to the user and the key.

REST framework loads this module while it loads itself: what needs its views or the models is imported in calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from triggers_api.keys import secret as secrets

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from triggers_api.keys.models import ApiKey


class Refusal(NamedTuple):
    code: str
    detail: StrOrPromise


MALFORMED: Final = Refusal(
    "key_malformed", _("This is not a whole API key: send “Authorization: Bearer” and the secret as it was shown.")
)
UNKNOWN: Final = Refusal(
    "key_unknown", _("There is no such API key: compare it with the secret as it was shown, or make a new key.")
)
REVOKED: Final = Refusal(
    "key_revoked", _("The API key was revoked: use the key that took its place, or make a new one.")
)
EXPIRED: Final = Refusal("key_expired", _("The API key has expired: make a new one."))
INACTIVE: Final = Refusal(
    "user_inactive", _("The user whom the API key acts as is not active: activate the user, or use a key of another.")
)


class ApiKeyAuthentication(BaseAuthentication):
    """
    Systems that send an API key. ``request.auth`` is the key.

    A key opens this API and no other view of the project, where nobody would ask for its scopes. Bearer tokens of
    other kinds are left to other authenticators.
    """

    @sensitive_variables("secret")
    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        secret = _bearer_token(request)
        if not secret.startswith(secrets.MARK) or not _is_of_this_api(request):
            return None
        if secrets.prefix(secret) is None:
            raise _failed(MALFORMED)
        from triggers_api.keys.models import ApiKey

        key = ApiKey.find(secret)
        if key is None:
            raise _failed(UNKNOWN)
        if refusal := _refusal(key):
            raise _failed(refusal)
        key.note_use(timezone.now())
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _bearer_token(request: Request) -> str:
    scheme, _space, token = get_authorization_header(request).decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_of_this_api(request: Request) -> bool:
    from triggers_api.views.base import TriggersView

    return isinstance(request.parser_context.get("view"), TriggersView)


def _refusal(key: ApiKey) -> Refusal | None:
    if key.state == key.State.REVOKED:
        return REVOKED
    if key.state == key.State.EXPIRED:
        return EXPIRED
    return None if key.user.is_active else INACTIVE


def _failed(refusal: Refusal) -> AuthenticationFailed:
    return AuthenticationFailed(refusal.detail, refusal.code)
