import pytest

from tests.waiting import wait_until


def test_the_first_true_value_is_returned() -> None:
    values = iter([0, "", "found"])
    assert wait_until(lambda: next(values), interval=0) == "found"


def test_waiting_in_vain_fails_and_says_how_things_stand() -> None:
    with pytest.raises(AssertionError, match="in vain for 3 of 5"):
        wait_until(lambda: False, timeout=0.01, interval=0, message=lambda: "3 of 5")
