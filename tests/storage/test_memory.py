"""Objects in memory keep the contract; so do those of a storage that is watched."""

import pytest

from storage.base import Storage
from storage.memory import MemoryStorage
from storage.observed import ObservedStorage
from tests.storage.contract import DecisiveDeletes, StorageContract


class TestMemoryStorage(StorageContract, DecisiveDeletes):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage()


class TestObservedStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return ObservedStorage(MemoryStorage(), lambda *call: None)  # noqa: ARG005 - nobody listens

    @pytest.fixture
    def origin(self) -> Storage:
        return ObservedStorage(MemoryStorage(), lambda *call: None)  # noqa: ARG005 - nobody listens


def test_memory_has_no_address() -> None:
    assert MemoryStorage().url("k", expires=1, filename="k") is None
