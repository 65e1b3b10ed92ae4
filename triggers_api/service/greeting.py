"""What `triggers serve` says once everything runs."""

from __future__ import annotations

import json
import shlex
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model

from triggers_api.service import mail
from triggers_api.service.demo.seed import ADMIN, LIMIT, Demo
from triggers_api.service.settings import DATA, LOCAL_HOSTS

ANY: Final = ("0.0.0.0", "::")  # noqa: S104 - to compare with, not to listen on


def text(address: tuple[Any, ...], demo: Demo | None) -> str:
    """Where the service is and what to do next, as the database stands now."""
    host, port = address[:2]
    host = "127.0.0.1" if host in ANY else f"[{host}]" if ":" in host else host
    url = f"http://{host}:{port}"
    lines = [
        "The service runs. Ctrl-C stops it.",
        "",
        f"  Admin  {url}/admin/  {_login(demo)}",
        f"  API    {url}/api/v1/",
        f"  Data   {DATA}",
    ]
    if (address[0] in ANY or host not in LOCAL_HOSTS) and settings.ALLOWED_HOSTS == LOCAL_HOSTS:
        lines += ["", "Only requests to localhost are answered: set ALLOWED_HOSTS to the names of this machine."]
    if demo:
        lines += ["", *_invitation(url, demo)]
    return "\n".join(["", *lines, ""])


def _login(demo: Demo | None) -> str:
    if demo and demo.password:
        return f"user {ADMIN}, password {demo.password}"
    if demo:
        return f"user {ADMIN}, with the password that you gave it"
    if get_user_model().objects.filter(is_superuser=True).exists():
        return ""
    return "(nobody can log in yet: triggers manage createsuperuser)"


def _invitation(url: str, demo: Demo) -> list[str]:
    body = {
        "type": "demo.OrderPlacedEvent",
        "users": [demo.customer.key],
        "context": {"order": "1001", "amount": 40},
    }
    headers = [f"Authorization: Bearer {demo.api_key}", "Content-Type: application/json"]
    curl = ["curl", f"{url}/api/v1/fire/", *(part for header in headers for part in ("-H", header))]
    curl += ["-d", json.dumps(body)]
    if f"{mail.__name__}.EmailBackend" == settings.EMAIL_BACKEND:
        email = f"The e-mail that follows appears here, and as a file in {settings.EMAIL_FILE_PATH}"
    else:
        email = "The e-mail that follows goes to the mail server of EMAIL_URL."
    return [
        f"{demo.customer.user.first_name} places an order. Paste this into another terminal:",
        "",
        f"  {shlex.join(curl)}",
        "",
        email,
        f"The run that sent it, step by step: {url}/admin/triggers/run/",
        f"The trigger writes to nobody more than {LIMIT} times: of {LIMIT + 1} pastes, the last run says so.",
        f"{demo.without_email.user.first_name}, user {demo.without_email.key}, has no e-mail address: try him too.",
    ]
