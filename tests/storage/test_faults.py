"""The storage that fails on demand fails as it is told, and is a storage like others otherwise."""

import pytest

from storage.base import ABSENT, NotFound, Storage, Unavailable
from storage.memory import MemoryStorage
from tests.storage.contract import StorageContract, listed
from tests.support.faults import Call, FaultyStorage

GONE = Unavailable("the storage is gone; try again")


class TestFaultyStorageWithoutFaults(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return FaultyStorage(MemoryStorage())


@pytest.fixture
def storage() -> FaultyStorage:
    return FaultyStorage(MemoryStorage())


def test_a_fault_before_leaves_nothing_and_one_after_leaves_all(storage: FaultyStorage) -> None:
    storage.fail("put", GONE)
    with pytest.raises(Unavailable):
        storage.put("before", b"", condition=ABSENT)
    storage.fail("put", GONE, when="after")
    with pytest.raises(Unavailable):
        storage.put("after", b"", condition=ABSENT)
    storage.put("later", b"", condition=ABSENT)
    assert listed(storage) == {"after", "later"}


def test_faults_can_wait_repeat_and_be_meant_for_one_key(storage: FaultyStorage) -> None:
    storage.fail("stat", GONE, skip=1, times=2, key="k")
    outcomes = []
    for key in ["k", "other", "k", "k", "k"]:
        with pytest.raises((Unavailable, NotFound)) as caught:
            storage.stat(key)
        outcomes.append(type(caught.value))
    assert outcomes == [NotFound, NotFound, Unavailable, Unavailable, NotFound]


def test_a_fault_can_last_until_it_is_healed(storage: FaultyStorage) -> None:
    storage.fail("open", GONE, times=None)
    for _ in range(3):
        with pytest.raises(Unavailable):
            storage.open("k")
    storage.heal()
    with pytest.raises(NotFound):
        storage.open("k")


def test_a_listing_can_break_after_what_it_gave(storage: FaultyStorage) -> None:
    storage.put("k", b"", condition=ABSENT)
    storage.fail("list", GONE, when="after")
    listing = storage.list()
    assert next(listing).key == "k"
    with pytest.raises(Unavailable):
        next(listing)


def test_all_calls_are_remembered(storage: FaultyStorage) -> None:
    storage.put("k", b"", condition=ABSENT)
    storage.stat("k")
    list(storage.list("team/"))
    assert storage.calls == [Call("put", "k"), Call("stat", "k"), Call("list", "team/")]
