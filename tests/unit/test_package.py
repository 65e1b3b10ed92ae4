"""What the packages promise about themselves."""

import subprocess
import sys

import pytest

import triggers
from triggers import exceptions
from triggers.ids import uuid7


def test_the_public_names_are_these():
    assert triggers.__all__ == ["afire", "current_step", "fire"]
    assert callable(triggers.fire)
    with pytest.raises(AttributeError):
        triggers.no_such_name  # noqa: B018


def test_importing_the_package_imports_no_django():
    code = "import sys, triggers, triggers.flow, triggers.exceptions; print([m for m in sys.modules if 'django' in m])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_every_error_has_a_code_of_its_own_and_one_root():
    def below(error):
        yield error
        for child in error.__subclasses__():
            yield from below(child)

    refusals = list(below(exceptions.FiringRefused))
    assert len({error.code for error in refusals}) == len(refusals)
    assert issubclass(exceptions.ActionError, exceptions.TriggersError)


def test_ids_sort_by_the_time_they_were_made():
    made = [uuid7() for _ in range(3)]
    assert {(made_id.version, made_id.variant) for made_id in made} == {(7, "specified in RFC 4122")}
    assert made[0].int >> 80 <= made[-1].int >> 80
