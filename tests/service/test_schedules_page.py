"""What docs/schedules.md tells is tried as it stands there."""

import pytest

from tests.service.running import Triggers
from tests.service.story import follow, prepared, section

SERVE, SET_UP, *STEPS = section("docs/schedules.md", "A digest on weekdays")


@pytest.mark.usefixtures("commands")
def test_the_story_goes_as_it_is_told(triggers: Triggers) -> None:
    assert SERVE.text == "triggers serve --demo\n"
    triggers.serve()
    assert follow(triggers, prepared(triggers, SET_UP), STEPS) == 1
