from datetime import timedelta

import pytest

from triggers.durations import in_words


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        ({}, "0 seconds"),
        ({"days": 30}, "30 days"),
        ({"days": 1, "hours": 2, "minutes": 1, "seconds": 30}, "1 day, 2 hours, 1 minute, 30 seconds"),
        ({"seconds": 90}, "1 minute, 30 seconds"),
        ({"hours": 1, "seconds": 1}, "1 hour, 1 second"),
        ({"milliseconds": 1500}, "00:00:01.500000"),
        ({"days": -1}, "-1 00:00:00"),
    ],
)
def test_a_duration_in_words_is_exact(duration, words):
    assert in_words(timedelta(**duration)) == words
