"""The story that docs/people.md tells is tried as it stands there."""

import pytest

from tests.service.running import Triggers
from tests.service.story import follow, prepared, section

PAGE = "docs/people.md"
SERVE, SET_UP, *STEPS = section(PAGE, "A story")


@pytest.mark.usefixtures("commands")
def test_the_story_goes_as_it_is_told(triggers: Triggers) -> None:
    assert SERVE.text == "triggers serve --demo\n"
    triggers.serve()
    preamble = prepared(triggers, SET_UP)
    assert follow(triggers, preamble, STEPS) == 2
    assert "To: mary@example.com\n" in "".join(triggers.mails)
    assert follow(triggers, preamble, section(PAGE, "In passing")) == 2
    assert follow(triggers, preamble, section(PAGE, "What expressions and templates read")) == 1
    assert "Dear Mary Shelley, thank you. Your plan is gold." in "".join(triggers.mails)
