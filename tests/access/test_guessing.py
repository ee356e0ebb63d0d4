"""Guesses are slowed, by address and by name, and nobody is locked out."""

from typing import Final

import pytest

from chartrepo.access import Guesses, guessing
from tests.support.repositories import Clock

HOME: Final = "192.0.2.1"
ELSEWHERE: Final = "198.51.100.7"
DAY: Final = 24 * 60 * 60


@pytest.fixture
def clock() -> Clock:
    return Clock(now=1000.0)


@pytest.fixture
def guesses(clock: Clock) -> Guesses:
    return Guesses(clock=clock)


def tried(guesses: Guesses, address: str, name: str, times: int) -> int:
    """How many of so many guesses are looked at; all fail, and time stands still."""
    looked_at = 0
    for _ in range(times):
        if guesses.delay(address, name) == 0:
            guesses.failed(address, name)
            looked_at += 1
    return looked_at


def many(count: int) -> list[str]:
    return [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(count)]


def guess_everywhere(guesses: Guesses, name: str) -> int:
    """How many guesses for a name are looked at, of one each from a thousand addresses."""
    return sum(tried(guesses, address, name, 1) for address in many(1000))


class TestByAddress:
    def test_ten_failures_are_free_and_the_next_is_due_in_six_seconds(self, guesses: Guesses, clock: Clock) -> None:
        assert tried(guesses, HOME, "ci", 20) == 10
        assert guesses.delay(HOME, "ci") == 6
        clock.now += 5
        assert guesses.delay(HOME, "ci") == 1
        clock.now += 1
        assert tried(guesses, HOME, "ci", 20) == 1
        clock.now += 59
        assert tried(guesses, HOME, "ci", 20) == 9
        clock.now += DAY
        assert tried(guesses, HOME, "ci", 20) == 10

    def test_another_name_does_not_make_an_address_faster(self, guesses: Guesses) -> None:
        assert sum(tried(guesses, HOME, f"user{number}", 1) for number in range(100)) == 10

    def test_other_addresses_are_not_slowed(self, guesses: Guesses) -> None:
        tried(guesses, HOME, "ci", 10)
        assert guesses.delay(ELSEWHERE, "ci") == 0

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
            ("::ffff:192.0.2.1", "192.0.2.1", True),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
            ("192.0.2.1", "192.0.2.2", False),
            ("fe80::1%eth0", "fe80::2%eth0", True),
            ("unix:", "", False),
        ],
    )
    def test_addresses_that_one_caller_has_are_one(self, guesses: Guesses, one: str, other: str, same: bool) -> None:
        tried(guesses, one, "ci", 10)
        assert (guesses.delay(other, "ci") > 0) is same

    def test_success_with_one_account_gives_back_no_guesses_for_others(self, guesses: Guesses) -> None:
        looked_at = 0
        for _ in range(100):
            looked_at += tried(guesses, HOME, "ci", 1)
            guesses.succeeded(HOME, "mallory")
        assert looked_at == 10


class TestByName:
    def test_fifty_failures_from_everywhere_are_free_and_then_one_each_two_seconds(
        self, guesses: Guesses, clock: Clock
    ) -> None:
        assert guess_everywhere(guesses, "ci") == 50
        assert guesses.delay(ELSEWHERE, "ci") == 2
        clock.now += 2
        assert guesses.delay(ELSEWHERE, "ci") == 0
        clock.now += 8
        assert guess_everywhere(guesses, "ci") == 5

    def test_other_names_are_not_slowed(self, guesses: Guesses) -> None:
        guess_everywhere(guesses, "ci")
        assert guesses.delay(ELSEWHERE, "jo") == 0

    def test_names_that_are_longer_than_any_are_kept_short(self, guesses: Guesses) -> None:
        tried(guesses, HOME, "x" * 100_000, 1)
        guesses.succeeded(HOME, "y" * 100_000)
        keys = [str(key) for key in guesses._names._full] + [name for _, name in guesses._known]
        assert [len(key) for key in keys] == [256, 256]


class TestNobodyIsLockedOut:
    def test_guesses_from_elsewhere_do_not_slow_who_logged_in_here(self, guesses: Guesses) -> None:
        guesses.succeeded(HOME, "ci")
        guess_everywhere(guesses, "ci")
        assert guesses.delay(ELSEWHERE, "ci") > 0
        assert guesses.delay(HOME, "ci") == 0

    def test_guesses_for_other_names_from_here_do_not_either(self, guesses: Guesses) -> None:
        guesses.succeeded(HOME, "ci")
        tried(guesses, HOME, "jo", 10)
        assert guesses.delay(HOME, "jo") > 0
        assert guesses.delay(HOME, "ci") == 0

    def test_who_is_slowed_here_and_logs_in_is_slowed_no_more(self, guesses: Guesses, clock: Clock) -> None:
        tried(guesses, HOME, "ci", 10)
        clock.now += guesses.delay(HOME, "ci")
        assert guesses.delay(HOME, "ci") == 0
        guesses.succeeded(HOME, "ci")
        tried(guesses, HOME, "jo", 10)
        assert guesses.delay(HOME, "ci") == 0

    def test_this_lasts_a_day_after_the_last_login(self, guesses: Guesses, clock: Clock) -> None:
        guesses.succeeded(HOME, "ci")
        clock.now += DAY - 1
        guesses.succeeded(HOME, "ci")
        clock.now += DAY - 1
        guess_everywhere(guesses, "ci")
        assert guesses.delay(HOME, "ci") == 0
        clock.now += 1
        guess_everywhere(guesses, "ci")
        assert guesses.delay(HOME, "ci") > 0

    def test_who_logged_in_here_may_guess_no_more_than_others(self, guesses: Guesses, clock: Clock) -> None:
        guesses.succeeded(HOME, "ci")
        assert tried(guesses, HOME, "ci", 20) == 10
        guesses.succeeded(HOME, "ci")
        assert guesses.delay(HOME, "ci") == 6

    def test_failures_of_who_logged_in_here_slow_nobody_else(self, guesses: Guesses) -> None:
        for address in many(20):
            guesses.succeeded(address, "ci")
            assert tried(guesses, address, "ci", 10) == 10
        assert guesses.delay(ELSEWHERE, "ci") == 0
        assert guesses.delay(many(1)[0], "jo") == 0


class TestBounds:
    def test_what_was_let_through_at_once_is_waited_for_afterwards(self, guesses: Guesses) -> None:
        for _ in range(15):
            guesses.failed(HOME, "ci")
        assert guesses.delay(HOME, "ci") == 36

    def test_no_more_than_so_many_are_kept(self, guesses: Guesses) -> None:
        for address in many(25_000):
            guesses.failed(address, address)
            guesses.succeeded(address, address)
            guesses.failed(address, address)
        assert 9_000 <= len(guesses._known) <= 10_000
        for buckets in (guesses._addresses, guesses._names, guesses._pairs):
            assert 9_000 <= len(buckets._full) <= 10_000

    def test_a_name_under_attack_is_not_forgotten_for_thousands_of_others(self, guesses: Guesses) -> None:
        assert guess_everywhere(guesses, "ci") == 50
        for number, address in enumerate(many(25_000)):
            guesses.failed(address, f"user{number}")
        assert guess_everywhere(guesses, "ci") == 0

    def test_an_address_that_guesses_is_not_forgotten_for_thousands_of_others(self, guesses: Guesses) -> None:
        tried(guesses, HOME, "ci", 10)
        for address in many(25_000):
            guesses.failed(address, "jo")
        assert guesses.delay(HOME, "ci") == 6

    def test_who_logs_in_often_is_not_forgotten(self, guesses: Guesses, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guessing, "MOST", 100)
        for address in many(1000):
            guesses.succeeded(HOME, "ci")
            guesses.succeeded(address, "mallory")
        guess_everywhere(guesses, "ci")
        assert guesses.delay(HOME, "ci") == 0
