"""In what form an answer is wanted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation


class Negotiation(DefaultContentNegotiation):
    """By Accept alone: the parameter of the query that the project may have for this (``format``) is none of ours."""

    settings: Any = SimpleNamespace(URL_FORMAT_OVERRIDE=None)
