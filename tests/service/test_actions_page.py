"""The story that docs/actions.md tells is tried as it stands there, with the receiver that it shows."""

import signal
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import Block
from tests.servers.processes import Port, end, spawn
from tests.service.running import Triggers
from tests.service.story import follow, prepared, section
from tests.waiting import wait_until

SERVE, RECEIVER, SET_UP, *STEPS = section("docs/actions.md", "An order, told to another system")
GIFT = section("docs/actions.md", "A gift, ordered with a large order")


@pytest.mark.usefixtures("commands")
def test_the_story_goes_as_it_is_told(triggers: Triggers, tmp_path: Path) -> None:
    assert SERVE.text == "TRIGGERS_WEBHOOK_ALLOWED_HOSTS=127.0.0.1 triggers serve --demo\n"
    triggers.serve(env={"TRIGGERS_WEBHOOK_ALLOWED_HOSTS": "127.0.0.1"})
    port = str(Port().number)
    (tmp_path / "receiver.py").write_text(RECEIVER.body.replace("9000", port))
    log = tmp_path / "received"
    receiver = spawn([sys.executable, "receiver.py"], log=log, env=triggers.env, cwd=tmp_path)
    try:
        steps = [Block(block.language, block.text.replace(":9000/", f":{port}/")) for block in STEPS]
        (printed,) = (block.text for block in STEPS if block.language == "text")
        assert follow(triggers, prepared(triggers, SET_UP), steps) == 2
        wait_until(lambda: log.read_text().count(printed) == 1, message=log.read_text)
        assert "Hello Ada, your order is on its way." in "".join(triggers.mails)
        assert follow(triggers, prepared(triggers, SET_UP), GIFT) == 2
        wait_until(lambda: "'order': 'gift-1003', 'amount': 0" in log.read_text(), message=log.read_text)
        assert "Subject: Order gift-1003" in "".join(triggers.mails)
    finally:
        end(receiver, signal.SIGTERM)
