"""Threads and processes on one catalog, some of which are killed."""

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from chartrepo.catalog import Catalog
from chartrepo.core.errors import CatalogIncomplete
from chartrepo.core.index import Form
from tests.support.catalogs import (
    Place,
    build,
    charts,
    commit_until_killed,
    count_up,
    lock_and_wait,
    package,
    record,
    record_many,
    wait_until,
)

SPAWN = multiprocessing.get_context("spawn")


def test_of_many_writers_of_one_package_none_overlooks_another(catalog: Catalog, place: Place) -> None:
    processes = [SPAWN.Process(target=count_up, args=(place, 20)) for _ in range(2)]
    threads = [threading.Thread(target=count_up, args=(place, 20)) for _ in range(4)]
    for one in (*processes, *threads):
        one.start()
    for one in (*processes, *threads):
        one.join()
    assert [one.size for one in catalog.versions("", "app")] == [120]
    assert catalog.mark("").revision == 120


def test_writers_of_different_packages_all_come_to_the_catalog(catalog: Catalog, place: Place) -> None:
    processes = [SPAWN.Process(target=record_many, args=(place, f"process-{number}", 15)) for number in range(2)]
    threads = [threading.Thread(target=record_many, args=(place, f"thread-{number}", 15)) for number in range(4)]
    for one in (*processes, *threads):
        one.start()
    for one in (*processes, *threads):
        one.join()
    assert catalog.mark("").revision == 90
    (status,) = catalog.repositories()
    assert (status.charts, status.versions) == (6, 90)


def test_a_reader_that_follows_the_changes_misses_none(catalog: Catalog, place: Place) -> None:
    done = threading.Event()
    writers = [threading.Thread(target=record_many, args=(place, f"chart-{number}", 25)) for number in range(4)]

    def finish() -> None:
        for writer in writers:
            writer.join()
        done.set()

    waiter = threading.Thread(target=finish)
    held: dict[str, int] = {}
    mark = None
    for thread in (*writers, waiter):
        thread.start()
    while True:
        last = done.is_set()
        with catalog.changes("", mark, Form.JSON) as changes:
            mark = changes.mark
            held |= {name: len(entries) for name, entries in changes.charts}
        # Every upload added one version, so that a revision tells how many there are.
        assert sum(held.values()) == mark.revision
        if last:
            break
    waiter.join()
    assert held == {f"chart-{number}": 25 for number in range(4)}


def test_a_killed_process_holds_no_lock_and_leaves_nothing_half_done(
    catalog: Catalog, place: Place, tmp_path: Path
) -> None:
    process = SPAWN.Process(target=lock_and_wait, args=(place, tmp_path / "ready"))
    process.start()
    wait_until((tmp_path / "ready").exists)
    process.kill()
    process.join()
    with catalog.exclusive("", "app-1.0.0.tgz") as entry:
        assert entry.package() is None
        entry.record(package(size=5))
    assert [one.size for one in catalog.versions("", "app")] == [5]


def test_what_was_promised_before_a_kill_is_there_after_it(catalog: Catalog, place: Place, tmp_path: Path) -> None:
    promised: list[str] = []
    for number in range(3):
        log = tmp_path / f"promised-{number}"
        process = SPAWN.Process(target=commit_until_killed, args=(place, log))
        process.start()
        wait_until(lambda log=log: log.exists() and log.stat().st_size > 100)
        process.kill()
        process.join()
        promised += log.read_text().splitlines()
    fresh = place.open()
    assert not fresh.needs_rebuild
    assert {one.version for one in fresh.versions("", "app")} >= set(promised)
    fresh.close()


def test_a_forked_child_and_its_parent_both_go_on(catalog: Catalog, place: Place) -> None:
    record(catalog, package())
    child = os.fork()
    if child == 0:
        status = 1
        try:
            record(catalog, package("child"))
            status = 0 if catalog.package("", "app-1.0.0.tgz") else 2
        finally:
            os._exit(status)
    record(catalog, package("parent"))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert list(charts(catalog)) == ["app", "child", "parent"]
    record(catalog, package("parent", "2.0.0"))
    assert catalog.mark("").revision == 4


def test_readers_and_writers_go_on_while_it_is_rebuilt_again_and_again(catalog: Catalog, place: Place) -> None:
    done = threading.Event()
    failures: list[BaseException] = []
    marks: dict[tuple[str, int], set[str]] = {}

    def read() -> None:
        other = place.open()
        while not done.is_set():
            try:
                with other.changes("", None, Form.JSON) as changes:
                    marks.setdefault(tuple(changes.mark), set()).add(str(list(changes.charts)))
            except CatalogIncomplete:
                continue
            except BaseException as failure:
                failures.append(failure)
                raise
        other.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(10):
        build(catalog, package(version=f"1.{number}.0"))
        record(catalog, package(version=f"2.{number}.0"))
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert all(len(contents) == 1 for contents in marks.values())


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_sync_lets_the_next_one_begin(
    catalog: Catalog, place: Place, tmp_path: Path, signal_number: int
) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with place.open().sync_lock() as held:
            os.write(writing, b"1" if held else b"0")
            signal.pause()
        os._exit(1)
    assert os.read(reading, 1) == b"1"
    with catalog.sync_lock() as mine:
        assert not mine
    os.kill(child, signal_number)
    os.waitpid(child, 0)
    os.close(reading)
    os.close(writing)

    def free() -> bool:
        with catalog.sync_lock() as mine:
            return mine

    wait_until(free)
