"""docs/bad-input.md says what is refused and how: every row of its table is tried, and none is left out."""

import re
from typing import Any

import pytest

from tests.api.bad_input import REQUESTS, World
from tests.api.problems import database, invalid, problem
from tests.docs.blocks import ROOT

_ROW = re.compile(r"^\| ([^|]+) \| (\d{3}) \| `(\w+)` \| (?:`([^`|]*)`)? \| (?:`(\w+)`)? \| (.+) \|$", re.MULTILINE)
ROWS = {row[0]: row[1:] for row in _ROW.findall((ROOT / "docs/bad-input.md").read_text())}
#: Where no entry says more than the problem itself.
WHOLE = {"body_invalid": invalid()["detail"], "query_invalid": "The query is not valid: errors says where."}


def test_the_table_has_every_case() -> None:
    assert list(ROWS) == list(REQUESTS)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.django_db(transaction=name == "a database that is down"))
        for name in REQUESTS
    ],
)
def test_what_is_wrong_is_refused_as_the_table_says_and_changes_nothing(name: str) -> None:
    status, code, pointer, own_code, says = ROWS[name]
    world = World.make()
    before = database()

    response = REQUESTS[name](world)

    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    entries = [(pointer, own_code or code, says)] if pointer or own_code else []
    assert tidied(body, says) == tidied(problem(int(status), code, WHOLE.get(code, says), entries), says)
    assert response.status_code == int(status)
    assert ("Retry-After" in response.headers) == (status == "429")
    if name != "an Idempotency-Key used for other content":  # its first request is accepted
        assert database() == before


def tidied(body: dict[str, Any], says: str) -> dict[str, Any]:
    """The body with what differs from case to case as the page has it."""
    pattern = re.compile(".+".join(re.escape(part) for part in says.split("…")))

    def tidy(text: str) -> str:
        return says if pattern.fullmatch(text) else re.sub("(/0){30,}", "/0…", text)

    body["detail"] = tidy(body["detail"])
    for entry in body["errors"]:
        entry |= {"detail": tidy(entry["detail"]), "pointer": tidy(entry["pointer"])}
    return body
