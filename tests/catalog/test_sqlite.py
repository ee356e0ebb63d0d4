"""What can happen to a catalog that is a file."""

import os
import re
import resource
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from chartrepo.catalog import Catalog, open_catalog
from chartrepo.catalog.schema import SCHEMA_VERSION
from chartrepo.core.errors import CatalogFull, CatalogMisconfigured, CatalogUnavailable
from tests.support.catalogs import Place, build, charts, package, record


@pytest.fixture
def place(sqlite_place: Place) -> Place:
    return sqlite_place


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def link(folder: Path) -> Path:
    return folder / f"catalog-v{SCHEMA_VERSION}.sqlite3"


@pytest.fixture
def filled(catalog: Catalog) -> Catalog:
    """A catalog that this process has used, and uses on."""
    build(catalog, *(package(version=f"1.{number}.0") for number in range(300)))
    record(catalog, package("b"))
    return catalog


def test_the_version_of_the_schema_is_part_of_the_files_name(filled: Catalog, folder: Path, link: Path) -> None:
    assert link.is_symlink()
    assert link.resolve().parent == folder
    assert re.fullmatch(rf"catalog-v{SCHEMA_VERSION}-[0-9a-f]+\.sqlite3", link.resolve().name)


@pytest.mark.parametrize("name", ["catalog", "my.own.catalog", "a b?c#d%20.db"])
def test_the_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    catalog = open_catalog(f"sqlite:///{tmp_path}/{name}", lock_dir=tmp_path / "locks", storage_id="s")
    build(catalog, package())
    build(catalog, package("b"))
    record(catalog, package("c"))
    assert list(charts(catalog)) == ["b", "c"]
    catalog.close()


def test_what_is_promised_is_synced(filled: Catalog, link: Path) -> None:
    connection = filled._engine._take().raw
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_rebuild_leaves_one_generation_and_removes_what_killed_ones_left(
    filled: Catalog, folder: Path, link: Path
) -> None:
    for litter in ("catalog-v4-00ff.sqlite3", "catalog-v4-00ff.sqlite3-wal", "catalog-v4-00ff.sqlite3.link"):
        (folder / litter).write_bytes(b"half")
    (folder / "catalog-v4.sqlite3.bak").write_bytes(b"mine")
    build(filled)
    filled.close()
    current = link.resolve().name
    beside = {f"{current}-announced", "catalog-v4.sqlite3.bak"}
    assert {path.name for path in folder.iterdir()} == {link.name, current, *beside}


def test_a_worker_notices_that_the_catalog_was_replaced(filled: Catalog, place: Place) -> None:
    before = filled.mark("")
    builder = place.open()
    build(builder, package("new"))
    builder.close()
    assert filled.mark("").catalog != before.catalog
    assert list(charts(filled)) == ["new"]
    record(filled, package("newer"))
    fresh = place.open()
    assert list(charts(fresh)) == ["new", "newer"]
    fresh.close()


def _remove_link(link: Path) -> None:
    link.unlink()


def _remove_file(link: Path) -> None:
    link.resolve().unlink()


def _remove_log(link: Path) -> None:
    Path(f"{link.resolve()}-wal").unlink()


def _remove_log_index(link: Path) -> None:
    Path(f"{link.resolve()}-shm").unlink()


def _remove_everything(link: Path) -> None:
    for path in link.parent.iterdir():
        path.unlink()


def _remove_folder(link: Path) -> None:
    _remove_everything(link)
    link.parent.rmdir()


LOSSES = [_remove_link, _remove_file, _remove_log, _remove_log_index, _remove_everything, _remove_folder]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_lost_file_is_not_made_anew_by_a_reader_but_by_a_rebuild(
    filled: Catalog, link: Path, lose: Callable[[Path], None]
) -> None:
    lose(link)
    for ask in (
        lambda: filled.mark(""),
        lambda: filled.package("", "app-1.0.0.tgz"),
        lambda: list(filled.states()),
        lambda: record(filled, package("c")),
    ):
        with pytest.raises(CatalogUnavailable):
            ask()
    assert filled.needs_rebuild
    assert link.exists() == (lose in (_remove_log, _remove_log_index))
    build(filled, package())
    assert not filled.needs_rebuild
    record(filled, package("c"))
    assert list(charts(filled)) == ["app", "c"]


def test_a_file_that_is_lost_during_an_upload_is_not_written_to(filled: Catalog, link: Path) -> None:
    def upload() -> None:
        with filled.exclusive("", "c-1.0.0.tgz") as entry:
            link.unlink()
            entry.record(package("c"))

    with pytest.raises(CatalogUnavailable):
        upload()


def _overwrite_with_text(path: Path) -> None:
    path.write_text("garbage " * 1000)


def _overwrite_with_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _scramble(path: Path) -> None:
    with path.open("r+b") as file:
        for offset in range(4096, path.stat().st_size, 4096):
            file.seek(offset)
            file.write(b"\xff" * 512)


def _another_database(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()


DAMAGES = [_overwrite_with_text, _overwrite_with_zeros, _empty, _cut_off, _scramble, _another_database]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_noticed_and_a_rebuild_asked_for(
    filled: Catalog, place: Place, link: Path, damage: Callable[[Path], None]
) -> None:
    filled.close()
    damage(link.resolve())
    fresh = place.open()
    with pytest.raises(CatalogUnavailable, match="damaged"):
        list(fresh.records())
    assert fresh.needs_rebuild
    build(fresh, package())
    assert not fresh.needs_rebuild
    record(fresh, package("c"))
    assert list(charts(fresh)) == ["app", "c"]
    fresh.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_done_while_the_file_is_in_use_is_survived(
    filled: Catalog, place: Place, link: Path, damage: Callable[[Path], None]
) -> None:
    damage(link.resolve())
    fresh = place.open()
    for catalog in (filled, fresh):
        with suppress(CatalogUnavailable):
            catalog.mark("")
        with suppress(CatalogUnavailable):
            list(catalog.records())
        with suppress(CatalogUnavailable):
            record(catalog, package("c"))
    fresh.close()
    build(filled, package())
    assert not filled.needs_rebuild
    assert list(charts(filled)) == ["app"]


def test_a_request_for_a_rebuild_reaches_other_processes_and_ends_with_the_rebuild(
    filled: Catalog, place: Place, link: Path
) -> None:
    filled.close()
    _scramble(link.resolve())
    worker, background = place.open(), place.open()
    with pytest.raises(CatalogUnavailable):
        list(worker.records())
    assert background.needs_rebuild
    build(background)
    assert not worker.needs_rebuild
    worker.close()
    background.close()


def test_a_writer_waits_for_the_writers_before_it_but_not_for_ever(filled: Catalog, link: Path) -> None:
    filled._engine._busy_seconds = 0.05
    blocker = sqlite3.connect(link.resolve(), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    filled._engine._pool.take().raw.close()
    try:
        with pytest.raises(CatalogUnavailable, match="busy"):
            record(filled, package("c"))
        assert filled.package("", "b-1.0.0.tgz") is not None
    finally:
        blocker.execute("ROLLBACK")
        blocker.close()
    record(filled, package("c"))
    assert not filled.needs_rebuild


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path, int], None]]:
    """Files of this process cannot grow beyond a size, which SQLite takes for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(file: Path, more: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + more, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_readers_go_on_when_nothing_can_be_written(
    filled: Catalog, link: Path, small_disk: Callable[[Path, int], None]
) -> None:
    before = filled.mark("")
    small_disk(Path(f"{link.resolve()}-wal"), 100)
    with pytest.raises((CatalogFull, CatalogUnavailable)):
        record(filled, package("c"))
    assert filled.mark("") == before
    assert filled.package("", "b-1.0.0.tgz") is not None


def long_entry(length: int) -> str:
    return f'{{"name":"c","version":"1.0.0","description":"{"x" * length}"'


def test_a_full_disk_is_told_and_got_over(filled: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = filled._engine._pool.take()
    pages = connection.raw.execute("PRAGMA page_count").fetchone()[0]
    connection.raw.execute(f"PRAGMA max_page_count = {pages + 2}")
    filled._engine._pool.give(connection)
    with pytest.raises(CatalogFull, match="full"):
        record(filled, package("c", entry_json=long_entry(100_000)))
    assert filled.package("", "b-1.0.0.tgz") is not None
    record(filled, package("c"))
    assert not filled.needs_rebuild


def test_a_rebuild_on_a_full_disk_leaves_what_was_there(
    filled: Catalog, folder: Path, small_disk: Callable[[Path, int], None]
) -> None:
    before, files = filled.mark(""), sorted(folder.iterdir())
    small_disk(folder / "catalog-v4.sqlite3", 0)
    with pytest.raises((CatalogFull, CatalogUnavailable)):
        build(filled, *(package("c", f"1.{number}.0", entry_json=long_entry(1000)) for number in range(2000)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert filled.mark("") == before
    assert sorted(folder.iterdir()) == files


def test_other_versions_of_the_schema_are_pruned_and_nothing_else(filled: Catalog, folder: Path, link: Path) -> None:
    others = ["catalog-v0.sqlite3", "catalog-v3-0a.sqlite3", "catalog-v3-0a.sqlite3-wal", "catalog-v12.sqlite3"]
    mine = ["catalog.sqlite3", "catalog-v4.sqlite3.bak", "other-v4.sqlite3", "catalog-vx.sqlite3"]
    for name in (*others, *mine):
        (folder / name).touch()
    assert sorted(filled.prune()) == sorted(others)
    assert {path.name for path in folder.iterdir()} >= {*mine, link.name, link.resolve().name}
    assert len(filled.versions("", "app")) == 300
    assert filled.prune() == []


def test_pruning_where_there_is_nothing_yet_drops_nothing(unbuilt: Catalog) -> None:
    assert unbuilt.prune() == []


def test_a_closed_catalog_holds_no_file_open(filled: Catalog) -> None:
    list(filled.states())
    filled.close()
    held = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.exists()]
    assert [path for path in held if "catalog-v" in path or ".lock" in path] == []


def test_connections_do_not_pile_up(filled: Catalog) -> None:
    def ask() -> None:
        for _ in range(20):
            filled.mark("")
            record(filled, package("c"))

    for _ in range(3):
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(filled._engine._pool._idle) <= 4


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:catalog", "mysql://h/d", ""])
def test_an_address_that_names_no_catalog_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(CatalogMisconfigured, match="sqlite:///FILE"):
        open_catalog(url, lock_dir=tmp_path, storage_id="s")


def test_opening_makes_nothing(unbuilt: Catalog, tmp_path: Path) -> None:
    assert list(tmp_path.iterdir()) == []
