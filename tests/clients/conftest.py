"""A live service, and what a client needs to be told of it."""

import json

import pytest

from tests.docs.blocks import ROOT
from tests.service.conftest import triggers
from tests.service.running import Triggers

__all__ = ["triggers"]

#: The document that clients are made from.
SCHEMA = ROOT / "openapi" / "service.yaml"
SCOPES = ("explain", "fire", "runs:read", "triggers:enable", "triggers:read", "triggers:write")


@pytest.fixture
def service(triggers: Triggers) -> list[str]:
    """The service runs. Its address, an API key, and a person for whom events may be fired."""
    triggers.serve()
    words = triggers.curl
    (user,) = json.loads(words[words.index("-d") + 1])["users"]
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    made = triggers.call("manage", "triggers_key", "create", "--user", "admin", "--name", "Story", *scopes)
    assert made == 0, triggers.output
    return [triggers.api, triggers.output.splitlines()[-1], user]
