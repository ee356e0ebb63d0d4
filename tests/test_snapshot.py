"""What the catalog knows, kept beside the packages."""

import errno
import gzip
import json
import logging
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from chartrepo import layout
from chartrepo import snapshot as snapshot_module
from chartrepo.catalog.schema import SCHEMA_VERSION
from chartrepo.snapshot import Snapshot
from storage.base import ANYWAY, Misconfigured, NoSpace, NotFound, StorageError, Unavailable
from storage.memory import MemoryStorage
from tests.support.faults import FaultyStorage
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


def test_it_is_written_where_somebody_removed_the_folder(shop: Shop, state: MemoryStorage) -> None:
    shop.publish()
    Snapshot(state, shop.catalog, folder=shop.folder / "state" / "uploads").write()
    assert list(snapshot(shop, state).read()) == ["app-1.0.0.tgz"]


def test_there_is_none_at_first(shop: Shop, state: MemoryStorage) -> None:
    assert snapshot(shop, state).read() == {}


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\x1f\x8b\x08\x00", b"[]"])
def test_one_that_cannot_be_read_is_passed_over(
    shop: Shop, state: MemoryStorage, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    state.put(layout.SNAPSHOT_KEY, data, condition=ANYWAY)

    assert snapshot(shop, state).read() == {}
    assert "cannot be read" in caplog.text


HEADER = {"chartrepo": "snapshot", "schema": SCHEMA_VERSION, "catalog": "x"}


@pytest.mark.parametrize(
    "change",
    [
        {"digest": None},
        {"size": "12"},
        {"size": True},
        {"created": 1.5},
        {"signed": 1},
        {"name": ["app"]},
        {"version": "not one"},
        {"warnings": "text"},
        {"warnings": [None]},
    ],
    ids=str,
)
def test_one_with_a_line_that_no_catalog_takes_is_passed_over(
    shop: Shop, state: MemoryStorage, change: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    record = asdict(shop.publish().record)
    whole = ["package", *record.values()]
    put_lines(state, HEADER, whole)
    assert list(snapshot(shop, state).read()) == ["app-1.0.0.tgz"]

    put_lines(state, HEADER, ["package", *(record | change).values()])

    assert snapshot(shop, state).read() == {}
    assert len([each for each in caplog.records if "cannot be read" in each.message]) == 1


@pytest.mark.parametrize(
    "line",
    [["package"], ["set_aside", "", "x.tgz", "1"], ["other", "", "x.tgz", "1", "reason"], [], {}, None, 1],
    ids=str,
)
def test_one_with_a_line_of_another_kind_is_passed_over(shop: Shop, state: MemoryStorage, line: object) -> None:
    put_lines(state, HEADER, line)

    assert snapshot(shop, state).read() == {}


def put_lines(state: MemoryStorage, *lines: object) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    state.put(layout.SNAPSHOT_KEY, gzip.compress(text.encode()), condition=ANYWAY)


@pytest.mark.parametrize("error", [Misconfigured("403"), Unavailable("503")])
def test_one_that_the_storage_does_not_give_is_passed_over(
    shop: Shop, state: MemoryStorage, error: StorageError, caplog: pytest.LogCaptureFixture
) -> None:
    storage = FaultyStorage(state)
    storage.fail("open", error)

    assert Snapshot(storage, shop.catalog, folder=shop.folder).read() == {}
    assert "all packages are read instead" in caplog.text


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, NoSpace), (errno.EDQUOT, NoSpace), (errno.EROFS, Unavailable)]
)
def test_a_disk_that_takes_no_file_is_said(
    shop: Shop, state: MemoryStorage, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StorageError]
) -> None:
    def refuse(**_others: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(snapshot_module, "TemporaryFile", refuse)
    with pytest.raises(kind, match=os.strerror(number)):
        snapshot(shop, state).write()


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
