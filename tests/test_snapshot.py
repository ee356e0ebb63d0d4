"""What the catalog knows, kept beside the packages."""

import logging
from pathlib import Path

import pytest

from chartrepo import layout
from chartrepo.snapshot import Snapshot
from storage.base import ANYWAY, NotFound
from storage.memory import MemoryStorage
from tests.support.packages import package
from tests.support.repositories import Shop, provenance


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.build()
    return shop


@pytest.fixture
def state() -> MemoryStorage:
    return MemoryStorage()


def snapshot(shop: Shop, state: MemoryStorage) -> Snapshot:
    return Snapshot(state, shop.catalog, folder=shop.folder)


def test_it_gives_back_all_that_the_catalog_knew(shop: Shop, state: MemoryStorage) -> None:
    shop.publish(package(), provenance(package()))
    shop.put("odd-1.0.0.tgz", package("odd")[:-8] + bytes(4) + package("odd")[-4:])
    shop.publish(package("web", description="schöne 🌍"), repository="team/x")
    shop.put("bad-1.0.0.tgz", b"rubbish")
    shop.sync()

    snapshot(shop, state).write()

    known = snapshot(shop, state).read()
    assert set(known.values()) == set(shop.catalog.records())
    assert sorted(known) == ["app-1.0.0.tgz", "bad-1.0.0.tgz", "odd-1.0.0.tgz", "team/x/web-1.0.0.tgz"]


def test_there_is_none_at_first(shop: Shop, state: MemoryStorage) -> None:
    assert snapshot(shop, state).read() == {}


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\x1f\x8b\x08\x00", b"[]"])
def test_one_that_cannot_be_read_is_passed_over(
    shop: Shop, state: MemoryStorage, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    state.put(layout.SNAPSHOT_KEY, data, condition=ANYWAY)

    assert snapshot(shop, state).read() == {}
    assert "cannot be read" in caplog.text


def test_one_that_was_cut_off_is_passed_over(shop: Shop, state: MemoryStorage) -> None:
    shop.publish()
    snapshot(shop, state).write()
    with state.open(layout.SNAPSHOT_KEY) as reader:
        whole = reader.read()
    for length in range(0, len(whole), 25):
        state.put(layout.SNAPSHOT_KEY, whole[:length], condition=ANYWAY)

        assert snapshot(shop, state).read() == {}


def test_it_is_written_only_after_a_change(shop: Shop, state: MemoryStorage) -> None:
    kept = snapshot(shop, state)
    shop.publish()
    kept.write()
    state.delete(layout.SNAPSHOT_KEY)

    kept.write()
    with pytest.raises(NotFound):
        state.stat(layout.SNAPSHOT_KEY)

    shop.publish(package("web"))
    kept.write()
    assert state.stat(layout.SNAPSHOT_KEY).size


def test_a_second_server_with_a_catalog_of_its_own_is_warned_of_once(
    shop: Shop, state: MemoryStorage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Shop(tmp_path / "other", inner=shop.inner)
    other.build()
    ours, theirs = snapshot(shop, state), snapshot(other, state)
    for number in range(3):
        shop.publish(package(version=f"1.{number}.0"))
        ours.write()
        other.publish(package("web", f"1.{number}.0"))
        theirs.write()

    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert ["another server writes to this bucket" in record.message for record in warnings] == [True, True]
