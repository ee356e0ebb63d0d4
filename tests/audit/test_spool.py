"""Records wait on the disk, and none is lost on the way: by the death of a process, by a full disk, in a race."""

import errno
import os
import signal
import threading
from pathlib import Path

import pytest

from chartrepo.audit import Spool
from chartrepo.audit import spool as spools


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "audit-spool"


@pytest.fixture
def spool(folder: Path) -> Spool:
    return Spool(folder)


def waiting(spool: Spool) -> list[bytes]:
    return sorted(filter(None, spool.lines()))


def test_what_is_appended_waits_until_it_is_taken(spool: Spool) -> None:
    assert waiting(spool) == []
    assert spool.batches() == []
    spool.append(b"1\n")
    (first,) = spool.batches()
    spool.append(b"2\n")
    spool.append(b"3\n")
    assert waiting(spool) == [b"1", b"2", b"3"]
    batches = spool.batches()
    assert sorted(batch.read_bytes() for batch in batches) == [b"1\n", b"2\n3\n"]
    assert first in batches
    assert spool.batches() == batches


def test_nobody_else_may_look_into_it(spool: Spool, folder: Path) -> None:
    spool.append(b"1\n")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in folder.iterdir()] == [0o600]


def test_a_folder_that_somebody_removes_is_made_again(spool: Spool, folder: Path) -> None:
    spool.append(b"1\n")
    for batch in spool.batches():
        batch.unlink()
    folder.rmdir()
    spool.append(b"2\n")
    assert waiting(spool) == [b"2"]


def test_a_process_that_is_killed_leaves_all_that_it_told(spool: Spool) -> None:
    for number in range(3):
        child = os.fork()
        if child == 0:
            for each in range(100):
                spool.append(f"{number} {each:03}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert waiting(spool) == [f"{number} {each:03}".encode() for number in range(3) for each in range(100)]


def test_half_a_line_of_who_was_killed_takes_no_other_with_it(spool: Spool, folder: Path) -> None:
    spool.append(b"1\n")
    with (folder / "waiting.jsonl").open("ab") as file:
        file.write(b'{"half')
    spool.append(b"2\n")
    spool.append(b"3\n")
    assert waiting(spool) == [b"1", b"2", b"3", b'{"half']


def test_threads_and_whoever_takes_records_away_lose_and_mix_none(spool: Spool) -> None:
    ended = threading.Event()
    taken: list[bytes] = []

    def append(number: int) -> None:
        for each in range(200):
            spool.append(f"{number} {each:03} {'x' * 3000}\n".encode())

    def take() -> None:
        while not ended.is_set():
            for batch in spool.batches():
                taken.extend(batch.read_bytes().splitlines())
                batch.unlink()

    writers = [threading.Thread(target=append, args=(number,)) for number in range(4)]
    taker = threading.Thread(target=take)
    for each in (taker, *writers):
        each.start()
    for each in writers:
        each.join()
    ended.set()
    taker.join()
    told = sorted(line.rpartition(b" ")[0] for line in [*taken, *waiting(spool)])
    assert told == [f"{number} {each:03}".encode() for number in range(4) for each in range(200)]


def test_of_a_line_that_does_not_fit_on_the_disk_nothing_stays(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.append(b"1\n")
    write = os.write

    def half(descriptor: int, data: bytes) -> int:
        if data.startswith(b"22"):
            return write(descriptor, data[:5])
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(spools.os, "write", half)
    with pytest.raises(OSError, match="full"):
        spool.append(b"2222222222\n")
    monkeypatch.undo()
    assert waiting(spool) == [b"1"]
    spool.append(b"3\n")
    assert waiting(spool) == [b"1", b"3"]


def test_no_descriptor_stays_open(spool: Spool) -> None:
    def descriptors() -> list[str]:
        return sorted(file.name for file in Path("/proc/self/fd").iterdir())

    spool.append(b"1\n")
    before = descriptors()
    for _ in range(10):
        spool.append(b"1\n")
        spool.batches()
        waiting(spool)
    assert descriptors() == before
