"""Counting in memory that is a file: what is in it, over threads, seals, full files, and files that cannot be had."""

import errno
import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chartrepo.core.pulls import Pull, Tally, add
from chartrepo.pulls import Counting, counting, counts_file
from tests.support.repositories import NOW, Clock

APP = Pull("team", "app", "1.0.0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "counts"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counts(folder: Path, clock: Clock) -> Counting:
    return Counting(folder, clock=clock)


def read(folder: Path) -> dict[Pull, Tally]:
    found: dict[Pull, Tally] = {}
    for file in counts_file.all_files(folder):
        add(found, counts_file.read(file))
    return found


def seal(folder: Path) -> None:
    for file in counts_file.all_files(folder):
        counts_file.seal(file)


def test_nothing_is_made_before_the_first_pull(counts: Counting, folder: Path) -> None:
    assert not folder.exists()
    counts.count(APP)
    assert read(folder) == {APP: Tally(1, NOW)}
    assert folder.stat().st_mode & 0o077 == 0


def test_each_version_of_each_chart_is_counted_by_itself(counts: Counting, folder: Path, clock: Clock) -> None:
    others = [
        Pull("", "app", "1.0.0"),
        Pull("team", "app", "1.0.0+a"),
        Pull("team", "äpp" * 30, "1"),
        Pull("a" * 8, "b", "c"),
    ]
    counts.count(APP)
    clock.now += 7
    for pull in (*others, APP, others[0]):
        counts.count(pull)
    later = Tally(1, NOW + 7)
    assert read(folder) == {APP: Tally(2, NOW + 7), **dict.fromkeys(others, later), others[0]: Tally(2, NOW + 7)}


def test_what_is_counted_after_a_seal_is_in_another_file(counts: Counting, folder: Path) -> None:
    counts.count(APP)
    seal(folder)
    (first,) = counts_file.all_files(folder)
    counts.count(APP)
    counts.count(APP)
    assert dict(counts_file.read(first)) == {APP: Tally(1, NOW)}
    assert read(folder) == {APP: Tally(3, NOW)}
    assert len(counts_file.all_files(folder)) == 2


def test_no_thread_takes_a_count_of_another(counts: Counting, folder: Path) -> None:
    pulls = [Pull("", "app", f"{number}.0.0") for number in range(5)]

    def pull(_: int) -> None:
        for each in pulls * 200:
            counts.count(each)
        seal(folder)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(pull, range(8)))
    assert {pull: tally.pulls for pull, tally in read(folder).items()} == dict.fromkeys(pulls, 1600)


def test_a_full_file_is_followed_by_another(counts: Counting, folder: Path) -> None:
    pulls = [Pull("team", "a-chart-with-a-long-name", f"{number}.0.0") for number in range(30_000)]
    for pull in pulls:
        counts.count(pull)
    counts.count(pulls[0])
    files = counts_file.all_files(folder)
    assert [file.stat().st_size for file in files] == [counts_file.SIZE] * 2
    assert read(folder) == {**dict.fromkeys(pulls, Tally(1, NOW)), pulls[0]: Tally(2, NOW)}


def test_what_is_not_taken_away_does_not_fill_the_disk(
    counts: Counting, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(counting, "_MOST_FILES", 3)
    for _ in range(5):
        counts.count(APP)
        seal(folder)
    assert read(folder) == {APP: Tally(3, NOW)}
    assert "nobody takes away" in caplog.text


def test_counts_of_a_removed_folder_are_counted_in_a_new_one(counts: Counting, folder: Path, clock: Clock) -> None:
    counts.count(APP)
    shutil.rmtree(folder)
    clock.now += 61
    counts.count(APP)
    assert read(folder) == {APP: Tally(2, NOW + 61)}


def test_counts_wait_in_memory_while_there_is_no_room(
    counts: Counting, folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        counts.count(APP)
        clock.now += 61
        counts.count(APP)
        counts.count(Pull("", "b", "1"))
        assert "No space left" in caplog.text
    assert counts_file.all_files(folder) == []
    clock.now += 61
    counts.count(APP)
    assert read(folder) == {APP: Tally(3, NOW + 122), Pull("", "b", "1"): Tally(1, NOW + 61)}


def test_a_file_that_is_none_is_passed_over(folder: Path) -> None:
    folder.mkdir()
    for name, data in (("a", b""), ("b", b"x" * counts_file.SIZE), ("c", b"pulls  1" + b"\0\0" * 9)):
        (folder / f"{counts_file.PREFIX}{name}").write_bytes(data)
    seal(folder)
    assert read(folder) == {}


def _count_and_wait(folder: Path, ready: Path) -> None:
    counts = Counting(folder)
    for _ in range(1000):
        counts.count(APP)
    ready.touch()
    signal.pause()


@pytest.fixture
def worker(folder: Path, tmp_path: Path) -> Iterator[multiprocessing.context.SpawnProcess]:
    ready = tmp_path / "ready"
    process = multiprocessing.get_context("spawn").Process(target=_count_and_wait, args=(folder, ready))
    process.start()
    while not ready.exists():
        assert process.is_alive()
        process.join(0.05)
    yield process
    process.kill()
    process.join()


def test_a_process_that_is_killed_takes_nothing_with_it(
    worker: multiprocessing.context.SpawnProcess, folder: Path
) -> None:
    worker.kill()
    worker.join()
    assert [tally.pulls for tally in read(folder).values()] == [1000]
