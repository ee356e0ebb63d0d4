"""The guard against what never ends, which tests of hostile input rely on."""

import re
import time

import pytest

from tests.support.endless import must_end


def test_work_that_does_not_end_is_broken_off_within_a_pattern_too() -> None:
    with pytest.raises(AssertionError, match="had not ended"), must_end(0.1):
        re.fullmatch("(a+)+", "a" * 60 + "!")


def test_so_is_a_wait() -> None:
    with pytest.raises(AssertionError, match="had not ended"), must_end(0.1, waits=True):
        time.sleep(60)


def test_what_ends_is_left_alone() -> None:
    for waits in (True, False):
        with must_end(0.1, waits=waits):
            pass
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
