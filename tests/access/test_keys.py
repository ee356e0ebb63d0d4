"""The keys that sign: shared by replicas, made when the first is needed, rotated, and forgotten everywhere soon."""

from pathlib import Path

import pytest

from chartrepo import layout
from chartrepo.access.keys import LOOKS, SOONEST, SigningKeys
from storage.base import ANYWAY, Unavailable
from storage.local import LocalStorage
from storage.memory import MemoryStorage
from tests.support.faults import FaultyStorage
from tests.support.repositories import Clock

DOWN = Unavailable("the storage is down")


@pytest.fixture
def clock() -> Clock:
    return Clock(now=1000.0)


@pytest.fixture
def state() -> MemoryStorage:
    return MemoryStorage()


def keys_of(state: MemoryStorage, clock: Clock) -> SigningKeys:
    return SigningKeys((state,), clock=clock, now=clock)


def test_the_first_that_needs_one_makes_it_and_all_replicas_have_it(state: MemoryStorage, clock: Clock) -> None:
    one, other = keys_of(state, clock), keys_of(state, clock)
    key_id, key = one.newest()
    assert len(key) == 32
    assert other.newest() == (key_id, key)
    assert one.newest() == (key_id, key)
    assert other.get(key_id) == key


def test_one_that_another_replica_made_a_moment_ago_is_believed(state: MemoryStorage, clock: Clock) -> None:
    one, other = keys_of(state, clock), keys_of(state, clock)
    one.newest()
    other.newest()
    clock.now += 1
    one.rotate(forget=False)
    assert other.get(one.newest()[0]) == one.newest()[1]


def test_the_newest_signs_and_older_ones_are_believed(state: MemoryStorage, clock: Clock) -> None:
    keys = keys_of(state, clock)
    old, key = keys.newest()
    clock.now += 1
    assert keys.rotate(forget=False) == 0
    assert keys.newest()[0] > old
    assert keys.get(old) == key


def test_what_was_forgotten_is_believed_nowhere_within_seconds(state: MemoryStorage, clock: Clock) -> None:
    one, other = keys_of(state, clock), keys_of(state, clock)
    old, _ = one.newest()
    assert other.get(old) is not None
    clock.now += 1
    assert one.rotate(forget=True) == 1
    assert one.get(old) is None
    clock.now += LOOKS
    assert other.get(old) is None
    assert other.newest() == one.newest()


@pytest.mark.parametrize("name", ["", "..", "0" * 12 + "-" + "0" * 8, "../tokens/x", "x" * 5000])
def test_there_is_none_of_another_id(state: MemoryStorage, clock: Clock, name: str) -> None:
    keys = keys_of(state, clock)
    keys.newest()
    assert keys.get(name) is None


@pytest.mark.parametrize("data", [b"", b"x" * 31, b"x" * 33])
def test_what_hands_put_there_signs_nothing(state: MemoryStorage, clock: Clock, data: bytes) -> None:
    spoilt = "f" * 12 + "-" + "0" * 8
    state.put(layout.signing_key(spoilt), data, condition=ANYWAY)
    keys = keys_of(state, clock)
    assert keys.newest()[0] != spoilt
    assert keys.get(spoilt) is None


def test_where_the_storage_does_not_answer_nobody_is_believed_for_long(state: MemoryStorage, clock: Clock) -> None:
    faulty = FaultyStorage(state)
    keys = SigningKeys((faulty,), clock=clock, now=clock)
    key_id, key = keys.newest()
    faulty.fail("list", DOWN, times=None)
    assert keys.get(key_id) == key
    clock.now += LOOKS
    with pytest.raises(Unavailable):
        keys.get(key_id)
    with pytest.raises(Unavailable):
        keys.newest()


def test_where_the_state_may_only_be_read_the_own_folder_has_them(tmp_path: Path, clock: Clock) -> None:
    faulty, folder = FaultyStorage(MemoryStorage()), LocalStorage(tmp_path, private=True)
    faulty.fail("put", DOWN, times=None)
    one, other = (SigningKeys((faulty, folder), clock=clock, now=clock) for _ in range(2))
    assert one.newest() == other.newest()


def test_ids_that_anybody_made_up_cost_one_look_a_second_and_nobody_waits_for_more(
    state: MemoryStorage, clock: Clock
) -> None:
    faulty = FaultyStorage(state)
    keys = SigningKeys((faulty,), clock=clock, now=clock)
    keys.newest()
    faulty.calls.clear()
    for _ in range(3):
        clock.now += SOONEST
        for number in range(50):
            assert keys.get(f"{number:012x}-00000000") is None
    assert [call.operation for call in faulty.calls] == ["list"] * 3


def test_while_the_storage_does_not_answer_it_is_asked_once_a_second(state: MemoryStorage, clock: Clock) -> None:
    faulty = FaultyStorage(state)
    keys = SigningKeys((faulty,), clock=clock, now=clock)
    key_id, key = keys.newest()
    clock.now += LOOKS
    faulty.fail("list", DOWN, times=None)
    faulty.calls.clear()
    for _ in range(20):
        with pytest.raises(Unavailable):
            keys.get(key_id)
    assert len(faulty.calls) == 1
    faulty.heal()
    clock.now += SOONEST
    assert keys.get(key_id) == key


def test_the_newest_signs_though_another_clock_was_ahead(state: MemoryStorage) -> None:
    ahead = SigningKeys((state,), now=lambda: 2000.0)
    ahead.rotate(forget=False)
    behind = SigningKeys((state,), now=lambda: 1000.0)
    old, _ = behind.newest()
    behind.rotate(forget=False)
    assert behind.newest()[0] != old
