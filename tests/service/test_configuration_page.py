"""The stories that docs/configuration.md tells are tried as they stand there."""

import pytest
import yaml

from tests.service.running import Triggers
from tests.service.story import follow, prepared, section, shell

PAGE = "docs/configuration.md"
SERVE, *STEPS = section(PAGE, "From a server to a file and back")
SET_UP, *CALLS = section(PAGE, "Over HTTP")


@pytest.mark.usefixtures("commands")
def test_the_stories_go_as_they_are_told(triggers: Triggers) -> None:
    assert SERVE.text == "triggers serve --demo\n"
    triggers.serve()
    (shown,) = (block.text for block in STEPS if block.language == "yaml")
    exported = yaml.safe_load(shell(triggers, "triggers export"))
    assert exported["triggers"] == yaml.safe_load(shown)["triggers"]
    assert follow(triggers, "", STEPS) == 5
    assert follow(triggers, prepared(triggers, SET_UP), CALLS) == 2
