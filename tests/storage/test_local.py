"""Objects in a folder."""

import errno
import fcntl
import io
import json
import logging
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from storage.base import (
    ABSENT,
    ANYWAY,
    LAST_SECOND,
    AlreadyExists,
    Changed,
    Condition,
    InvalidKey,
    Matching,
    Misconfigured,
    NoSpace,
    NotFound,
    State,
    Storage,
    StorageError,
    Unavailable,
)
from storage.local import LocalStorage
from tests.storage.contract import MIB, DecisiveDeletes, StorageContract, at_once, listed, noise, read

LOCK: Final = ".chartrepo-lock"


class TestLocalStorage(StorageContract, DecisiveDeletes):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return LocalStorage(tmp_path)

    @pytest.fixture
    def replica(self, tmp_path: Path, storage: Storage) -> Storage:
        return LocalStorage(tmp_path)


class TestPackagesAndStateOfOneFolder(StorageContract, DecisiveDeletes):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return LocalStorage(tmp_path)

    @pytest.fixture
    def replica(self, tmp_path: Path, storage: Storage) -> Storage:
        return LocalStorage(tmp_path)

    @pytest.fixture
    def origin(self, tmp_path: Path) -> Storage:
        state = LocalStorage(tmp_path / ".chartrepo", private=True)
        state.check()
        return state


class TestLocalStorageWithoutLinks(StorageContract, DecisiveDeletes):
    """On a file system without hard links, conditions hold between the threads of one process."""

    @pytest.fixture
    def storage(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
        monkeypatch.setattr(os, "link", failing(errno.EOPNOTSUPP))
        storage = LocalStorage(tmp_path)
        assert not storage.check().conditional_writes
        return storage

    def test_a_check_finds_that_conditions_hold_and_leaves_nothing_behind(self, storage: Storage) -> None:
        assert not storage.check().conditional_writes
        assert listed(storage) == set()

    def test_checks_at_once_do_not_disturb_each_other(self, storage: Storage, replica: Storage) -> None:
        assert not any(at_once(lambda _: storage.check().conditional_writes, 4))


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path)


# What a folder shows to others


def test_an_object_is_a_plain_file_with_its_time_of_publication(storage: LocalStorage, tmp_path: Path) -> None:
    storage.put("team/app-1.0.0.tgz", b"bytes", condition=ABSENT, published=1_500_000_000)
    file = tmp_path / "team/app-1.0.0.tgz"
    assert file.read_bytes() == b"bytes"
    assert int(file.stat().st_mtime) == 1_500_000_000
    assert {path.name for path in tmp_path.rglob("*")} == {"team", "app-1.0.0.tgz"}


@pytest.mark.parametrize("writable", [True, False])
def test_an_empty_mount_point_is_not_taken_for_the_folder_that_was_checked(tmp_path: Path, *, writable: bool) -> None:
    folder = tmp_path / "data"
    LocalStorage(folder).check()
    found = LocalStorage(folder).check(writable=writable)
    storage = LocalStorage(folder, marked=found.marked)  # in another process
    storage.put("team/k", b"bytes", condition=ABSENT)
    folder.rename(tmp_path / "away")
    folder.mkdir()

    for look in (
        lambda: list(storage.list()),
        lambda: storage.stat("team/k"),
        lambda: storage.open("team/k"),
        lambda: storage.delete("team/k"),
        lambda: storage.put("new", b"", condition=ABSENT),
        lambda: storage.put("team/k", b"", condition=ANYWAY),
    ):
        with pytest.raises(Unavailable, match="mount the right one"):
            look()
    assert list(folder.iterdir()) == []

    folder.rmdir()
    (tmp_path / "away").rename(folder)
    assert storage.stat("team/k").size == 5


def test_a_folder_that_nobody_wrote_to_has_no_mark_and_may_be_empty(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    assert not storage.check(writable=False).marked
    assert list(storage.list()) == []


def test_a_child_that_is_forked_meanwhile_does_not_keep_the_lock(storage: LocalStorage, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with storage._alone():
        child = os.fork()
        if not child:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
    descriptor = os.open(tmp_path / ".chartrepo-lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        for each in (descriptor, reading, writing):
            os.close(each)
        os.waitpid(child, 0)


def test_files_get_the_rights_that_the_umask_leaves(storage: LocalStorage, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        storage.put("team/k", b"", condition=ABSENT)
    finally:
        os.umask(before)
    assert (tmp_path / "team/k").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "team").stat().st_mode & 0o777 == 0o750


def test_a_private_storage_is_closed_to_others(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "new/state", private=True)
    storage.check()
    storage.put("a/k", b"secret", condition=ABSENT)
    assert (tmp_path / "new/state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new/state/a").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new/state/a/k").stat().st_mode & 0o777 == 0o600


def test_what_other_hands_put_was_published_when_the_file_was_changed(storage: LocalStorage, tmp_path: Path) -> None:
    (tmp_path / "k").write_bytes(b"by hand")
    os.utime(tmp_path / "k", ns=(0, 1_234_567_890_999_999_999))
    assert storage.stat("k").published == 1_234_567_890
    (info,) = storage.list()
    assert info == storage.stat("k")


@pytest.mark.parametrize("second", [-(10**9), 10**12])
def test_a_file_may_have_a_time_that_no_calendar_has(storage: LocalStorage, tmp_path: Path, second: int) -> None:
    (tmp_path / "k").write_bytes(b"by hand")
    os.utime(tmp_path / "k", (second, second))  # which some file systems bring nearer by themselves
    (info,) = storage.list()
    assert info.published is not None
    assert 0 <= info.published <= LAST_SECOND


def test_a_copy_of_the_folder_keeps_times_and_states(storage: LocalStorage, tmp_path: Path) -> None:
    storage.put("a/k", b"bytes", condition=ABSENT, published=99)
    subprocess.run(["cp", "-a", tmp_path / "a", tmp_path / "b"], check=True)
    original, copy = storage.stat("a/k"), storage.stat("b/k")
    assert (copy.published, copy.state) == (99, original.state)


def test_two_writes_differ_even_when_chance_repeats_itself(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fractions = iter([500, 500, 500, 700])
    monkeypatch.setattr("storage.local.secrets.randbelow", lambda _: next(fractions))
    first = storage.put("k", b"1", condition=ABSENT, published=3)
    second = storage.put("k", b"2", condition=ANYWAY, published=3)
    assert (first.state, second.state) == ("1-3000000500", "1-3000000700")
    assert storage.stat("k") == second


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system has no posix_fadvise")
@pytest.mark.parametrize("fails", [False, True])
def test_a_large_object_is_on_its_way_to_the_disk_before_it_is_whole(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    begun = list[tuple[int, int]]()

    def advise(_descriptor: int, start: int, length: int, _advice: int) -> None:
        begun.append((start, length))
        if fails:
            raise OSError(errno.EINVAL, "no such advice")

    monkeypatch.setattr(os, "posix_fadvise", advise)
    data = noise(70 * MIB)
    storage.put("large", io.BytesIO(data), condition=ABSENT)
    assert begun == [(0, 32 * MIB), (32 * MIB, 32 * MIB)]
    with storage.open("large") as reader:
        assert reader.read() == data


def test_a_file_can_be_sent_by_the_kernel(storage: LocalStorage) -> None:
    storage.put("k", b"0123456789", condition=ABSENT)
    ours, theirs = socket.socketpair()
    with ours, theirs, storage.open("k", start=4) as reader:
        assert os.sendfile(ours.fileno(), reader.fileno(), None, 3) == 3
        assert theirs.recv(10) == b"456"


def test_a_file_has_no_address(storage: LocalStorage) -> None:
    assert storage.url("k", expires=1, filename="k") is None


# What other hands put into a folder


def test_linked_folders_and_files_are_followed(storage: LocalStorage, tmp_path: Path) -> None:
    elsewhere = tmp_path / ".chartrepo-elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep/app.tgz").write_bytes(b"linked")
    (tmp_path / "folder").symlink_to(elsewhere)
    (tmp_path / "file.tgz").symlink_to(elsewhere / "deep/app.tgz")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    assert listed(storage) == {"folder/deep/app.tgz", "file.tgz"}
    assert read(storage, "folder/deep/app.tgz") == read(storage, "file.tgz") == b"linked"
    storage.put("folder/new.tgz", b"new", condition=ABSENT)
    assert (elsewhere / "new.tgz").read_bytes() == b"new"
    for key in ("broken", "itself"):
        with pytest.raises(NotFound):
            storage.open(key)


def test_a_circle_of_links_ends(storage: LocalStorage, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "c").mkdir()
    (tmp_path / "a/k").touch()
    (tmp_path / "c/k").touch()
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "a/here").symlink_to(".")
    (tmp_path / "a/root").symlink_to("/")
    (tmp_path / "a/over").symlink_to("../c")
    (tmp_path / "c/back").symlink_to("../a")
    with caplog.at_level(logging.WARNING):
        assert listed(storage) == {"a/k", "c/k", "a/over/k", "c/back/k"}
        assert listed(storage, "a/") == {"a/k", "a/over/k"}
    assert sum("symbolic link" in record.getMessage() for record in caplog.records) == len(caplog.records) > 0


def test_deleting_and_replacing_a_link_leave_what_it_leads_to(storage: LocalStorage, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"target")
    (tmp_path / "one").symlink_to(target)
    (tmp_path / "two").symlink_to(target)
    storage.put("one", b"replaced", condition=Matching(storage.stat("one").state))
    storage.delete("two")
    assert target.read_bytes() == b"target"
    assert listed(storage) == {"target", "one"}


def test_a_pipe_neither_blocks_nor_shows(storage: LocalStorage, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotFound, match="not a file"):
        storage.open("pipe")
    with pytest.raises(NotFound, match="not a file"):
        storage.stat("pipe")
    assert listed(storage) == set()


def test_a_name_that_is_no_text_is_left_out_once(
    storage: LocalStorage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "good").touch()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad-\xff.tgz")).touch()
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/folder-\xff"))
    folder.mkdir()
    (folder / "app.tgz").touch()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert listed(storage) == {"good"}
    assert len(caplog.records) == 2
    for record in caplog.records:
        assert record.getMessage().isprintable()
        assert "not UTF-8" in record.getMessage()


@pytest.mark.parametrize("private", [".chartrepo", ".chartrepo-old"])
def test_private_folders_are_not_listed(storage: LocalStorage, tmp_path: Path, private: str) -> None:
    (tmp_path / "team" / private).mkdir(parents=True)
    (tmp_path / "team" / private / "tokens").touch()
    (tmp_path / private).mkdir()
    (tmp_path / private / "tokens").touch()
    (tmp_path / "team/.chartrepo-1234.tmp").touch()
    assert listed(storage) == set()


def test_a_folder_that_may_not_be_read_does_not_stop_a_listing(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "app.tgz").touch()
    refuse(monkeypatch, "scandir", errno.EACCES, when=lambda path, *_: str(path).endswith("lost+found"))
    with caplog.at_level(logging.WARNING):
        assert listed(storage) == {"app.tgz"}
        assert listed(storage) == {"app.tgz"}
    (record,) = caplog.records
    assert "lost+found' is left out: the user that runs this process may not read it" in record.getMessage()


def test_what_may_not_be_read_is_not_taken_for_missing(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, "open", errno.EACCES, when=lambda path, *_: str(path).endswith("/k"))
    with pytest.raises(Misconfigured, match="cannot read 'closed/k': Permission denied; give the user"):
        storage.open("closed/k")
    refuse(monkeypatch, "stat", errno.EACCES, when=lambda path, *_: str(path).endswith("/k"))
    with pytest.raises(Unavailable, match="Permission denied"):
        storage.stat("closed/k")


def test_a_folder_that_the_disk_cannot_give_breaks_a_listing(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "team").mkdir()
    refuse(monkeypatch, "scandir", errno.EIO, when=lambda path, *_: str(path).endswith("team"))
    with pytest.raises(Unavailable, match="Input/output error"):
        listed(storage)


def test_what_vanishes_during_a_listing_is_left_out(storage: LocalStorage, tmp_path: Path) -> None:
    for name in ("a/k", "b/k", "k"):
        storage.put(name, b"", condition=ABSENT)
    listing = storage.list()
    first = next(listing).key
    for name in {"a/k", "b/k", "k"} - {first}:
        (tmp_path / name).unlink()
    (tmp_path / "b").rmdir()
    assert list(listing) == []


def test_a_disk_that_is_not_mounted_is_not_an_empty_one(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "disk")
    storage.check()
    storage.put("team/k", b"bytes", condition=ABSENT)
    (tmp_path / "disk").rename(tmp_path / "away")
    calls: list[Callable[[], object]] = [
        lambda: storage.stat("team/k"),
        lambda: storage.open("team/k"),
        lambda: storage.delete("team/k"),
        lambda: list(storage.list()),
        lambda: list(storage.list("team/")),
        lambda: storage.put("team/k", b"", condition=ABSENT),
        lambda: storage.put("k", b"", condition=ANYWAY),
    ]
    for call in calls:
        with pytest.raises(Unavailable, match="is gone"):
            call()
    assert not (tmp_path / "disk").exists()
    (tmp_path / "away").rename(tmp_path / "disk")
    assert read(storage, "team/k") == b"bytes"


def test_a_folder_removed_by_hand_is_made_again(storage: LocalStorage, tmp_path: Path) -> None:
    storage.put("a/b/c/k", b"bytes", condition=ABSENT)
    (tmp_path / "a/b/c/k").unlink()
    for folder in ("a/b/c", "a/b", "a"):
        (tmp_path / folder).rmdir()
    storage.put("a/b/c/k", b"again", condition=ABSENT)
    assert read(storage, "a/b/c/k") == b"again"


def test_so_is_one_that_had_others_in_it(storage: LocalStorage, tmp_path: Path) -> None:
    storage.put("team/web/one", b"1", condition=ABSENT)
    shutil.rmtree(tmp_path / "team")
    storage.put("team/app/two", b"2", condition=ABSENT)
    assert [info.key for info in storage.list()] == ["team/app/two"]


def test_a_file_where_a_folder_must_be_is_told(storage: LocalStorage) -> None:
    storage.put("team", b"", condition=ABSENT)
    with pytest.raises(Misconfigured, match="move the file away"):
        storage.put("team/app.tgz", b"", condition=ABSENT)
    with pytest.raises(NotFound):
        storage.stat("team/app.tgz")


def test_a_folder_where_a_file_must_be_is_told(storage: LocalStorage) -> None:
    storage.put("team/app.tgz", b"", condition=ABSENT)
    with pytest.raises(Misconfigured, match="move the folder away"):
        storage.put("team", b"", condition=ANYWAY)
    with pytest.raises(AlreadyExists):
        storage.put("team", b"", condition=ABSENT)
    assert listed(storage) == {"team/app.tgz"}


def test_a_name_too_long_for_the_disk_is_told_when_written_and_not_there_when_read(storage: LocalStorage) -> None:
    key = "n" * 256
    for condition in (ABSENT, ANYWAY):
        with pytest.raises(InvalidKey, match="use a shorter name"):
            storage.put(key, b"", condition=condition)
    with pytest.raises(NotFound):
        storage.stat(key)
    assert listed(storage) == set()


@pytest.mark.parametrize("change", ["shorter", "longer", "other", "gone"])
def test_a_file_that_is_overwritten_in_place_is_not_read_as_a_whole(
    storage: LocalStorage, tmp_path: Path, change: str
) -> None:
    storage.put("k", b"o" * 10_000, condition=ABSENT)
    content = {"shorter": b"n" * 6_000, "longer": b"n" * 20_000, "other": b"n" * 10_000, "gone": b""}[change]
    with storage.open("k") as reader, pytest.raises(Unavailable, match="in place"):  # noqa: PT012 - until it fails
        reader.read(1_000)
        (tmp_path / "k").write_bytes(content)
        while reader.read(1_000):
            pass


# Durability


def test_what_need_not_outlive_a_power_cut_waits_for_no_disk(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("folder/a", b"one", condition=ABSENT)
    monkeypatch.setattr(os, "fsync", lambda _: pytest.fail("the disk was waited for"))
    storage.put("folder/b", b"two", condition=ABSENT, durable=False)
    storage.put("folder/b", b"three", condition=ANYWAY, durable=False)
    storage.put("new/folder/c", b"four", condition=ABSENT, durable=False)
    assert storage.open("folder/b").read() == b"three"
    assert storage.open("new/folder/c").read() == b"four"


def test_a_folder_that_need_not_outlive_a_power_cut_does_with_the_first_file_that_must(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("new/folder/a", b"", condition=ABSENT, durable=False)
    real, synced = os.fsync, set[str]()

    def fsync(descriptor: int) -> None:
        synced.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    storage.put("new/folder/b", b"", condition=ABSENT)
    assert {str(tmp_path), str(tmp_path / "new"), str(tmp_path / "new" / "folder")} <= synced


def test_bytes_are_on_the_disk_before_their_name_and_the_name_before_the_answer(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def note(name: str, describe: Callable[..., str]) -> None:
        real = getattr(os, name)

        def noted(*args: Any, **options: Any) -> Any:
            steps.append(f"{name} {describe(*args)}")
            return real(*args, **options)

        monkeypatch.setattr(os, name, noted)

    def opened(descriptor: int) -> str:
        path = Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)
        return "temporary" if path.name.endswith(".tmp") else str(path)

    def relative(path: str, *_: object) -> str:
        return str(Path(path).relative_to(tmp_path))

    note("fsync", opened)
    note("utime", opened)
    note("mkdir", relative)
    note("link", lambda _, target: relative(target))
    note("rename", lambda _, target: relative(target))
    note("unlink", lambda path: "temporary" if path.endswith(".tmp") else relative(path))
    put = storage.put("a/b/k", b"bytes", condition=ABSENT)
    assert steps == [
        "mkdir a",
        "fsync .",
        "mkdir a/b",
        "fsync a",
        "utime temporary",
        "fsync temporary",
        "link a/b/k",
        "unlink temporary",
        "fsync a/b",
    ]
    steps.clear()
    storage.put("a/b/k", b"other", condition=Matching(put.state))
    assert steps == ["utime temporary", "fsync temporary", "rename a/b/k", "unlink temporary", "fsync a/b"]
    steps.clear()
    storage.delete("a/b/k")
    assert steps == ["unlink a/b/k", "fsync a/b"]


def test_a_folder_that_somebody_else_made_is_made_durable_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "team").mkdir()
    synced = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    LocalStorage(tmp_path).put("team/k", b"", condition=ABSENT)
    assert tmp_path in synced


KILLED: Final = """
import sys
from storage.base import ABSENT, ANYWAY
from storage.local import LocalStorage

storage = LocalStorage(sys.argv[1])
turn = int(sys.argv[2])
for number in range(10_000):
    content = (b"%d-%d " % (turn, number)) * 20_000
    storage.put(f"team/{turn}-{number}", content, condition=ABSENT)
    print("created", number, flush=True)
    storage.put("team/same", content, condition=ANYWAY)
    print("replaced", number, flush=True)
"""


def test_a_kill_at_any_moment_loses_nothing_acknowledged_and_leaves_nothing_half(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    chance = random.Random(4)
    for turn in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path), str(turn)], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"created 0\n"
            time.sleep(chance.random() / 50)
            child.send_signal(signal.SIGKILL)
            whole = child.stdout.read().rpartition(b"\n")[0]  # the last line may be cut off, too
            later = [line.split() for line in whole.splitlines()]
        for number in (0, *(int(number) for what, number in later if what == b"created")):
            assert read(storage, f"team/{turn}-{number}").startswith(b"%d-%d " % (turn, number))
    for info in storage.list():
        words = read(storage, info.key).split()
        assert (len(words), len(set(words))) == (20_000, 1)


def test_what_dead_writers_left_is_removed_after_an_hour(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("team/k", b"bytes", condition=ABSENT, published=1)
    dead = [tmp_path / ".chartrepo-0123456789abcdef.tmp", tmp_path / "team/.chartrepo-fedcba9876543210.tmp"]
    for path in dead:
        path.write_bytes(b"half")
        os.utime(path, (1, 1))  # as if to be published long ago, by a writer that lives
    private = tmp_path / ".chartrepo/.chartrepo-1.tmp"
    private.parent.mkdir()
    private.touch()
    assert storage.remove_leftovers() == 0
    now = time.time()
    monkeypatch.setattr("storage.local.time.time", lambda: now + 3700)
    assert storage.remove_leftovers() == 2
    assert not any(path.exists() for path in dead)
    assert private.exists()
    assert read(storage, "team/k") == b"bytes"


def test_a_link_whose_answer_got_lost_on_a_file_server_is_not_a_lost_race(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def twice(source: str, target: str) -> None:
        real(source, target)
        real(source, target)

    monkeypatch.setattr(os, "link", twice)
    put = storage.put("k", b"ours", condition=ABSENT)
    assert storage.stat("k") == put
    with pytest.raises(AlreadyExists):
        storage.put("k", b"ours", condition=ABSENT)


# Copying


def test_a_copy_is_a_second_name_of_one_file(storage: LocalStorage, tmp_path: Path) -> None:
    storage.put("one", b"bytes", condition=ABSENT)
    copied = storage.copy("a/two", "one")
    assert (tmp_path / "one").samefile(tmp_path / "a/two")
    assert copied.state == storage.stat("one").state
    assert {path.name for path in tmp_path.rglob("*")} == {"one", "a", "two"}


def test_the_name_of_a_copy_is_on_the_disk_before_the_answer(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("one", b"bytes", condition=ABSENT)
    steps = []
    fsync, link = os.fsync, os.link

    def synced(descriptor: int) -> None:
        steps.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))
        fsync(descriptor)

    def linked(source: str, target: str) -> None:
        steps.append("link")
        link(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "link", linked)
    storage.copy("a/b/two", "one")
    assert steps == [".", "a", "one", "link", "a/b"]


def test_a_copy_out_of_a_private_storage_can_be_read_as_others_can(tmp_path: Path) -> None:
    packages, state = LocalStorage(tmp_path), LocalStorage(tmp_path / ".chartrepo", private=True)
    state.check()
    before = os.umask(0o027)
    try:
        state.put("one", b"bytes", condition=ABSENT)
        packages.copy("two", "one", origin=state)
    finally:
        os.umask(before)
    assert (tmp_path / "two").samefile(tmp_path / ".chartrepo/one")
    assert (tmp_path / "two").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / ".chartrepo").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "number", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS], ids=errno.errorcode.get
)
def test_where_no_link_can_be_the_bytes_are_copied(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    storage.put("one", noise(3 * MIB), condition=ABSENT, published=9)
    refuse(monkeypatch, "link", number, when=lambda source, _: not source.endswith(".tmp"))
    copied = storage.copy("two", "one")
    assert storage.stat("two") == copied
    assert copied.published == 9
    assert read(storage, "two") == noise(3 * MIB)
    assert not (tmp_path / "one").samefile(tmp_path / "two")
    with pytest.raises(AlreadyExists):
        storage.copy("two", "one")


def test_what_a_symbolic_link_leads_to_is_copied_byte_by_byte(storage: LocalStorage, tmp_path: Path) -> None:
    (tmp_path / ".chartrepo-mine").write_bytes(b"bytes")
    (tmp_path / "one").symlink_to(".chartrepo-mine")
    storage.copy("a/two", "one")
    (tmp_path / ".chartrepo-mine").write_bytes(b"edited")
    assert read(storage, "a/two") == b"bytes"


@pytest.mark.parametrize("call", ["link", "fsync", "mkdir"])
def test_a_copy_onto_a_full_disk_is_told_and_leaves_no_trace(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    storage.put("one", b"bytes", condition=ABSENT)
    before = open_descriptors()
    refuse(monkeypatch, call, errno.ENOSPC)
    with pytest.raises(NoSpace, match="cannot write 'a/two'"):
        storage.copy("a/two", "one")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["one"]
    assert open_descriptors() == before


def test_a_copy_into_a_folder_that_was_removed_makes_it_again(storage: LocalStorage, tmp_path: Path) -> None:
    storage.put("one", b"bytes", condition=ABSENT)
    storage.copy("a/two", "one")
    (tmp_path / "a/two").unlink()
    (tmp_path / "a").rmdir()
    storage.copy("a/two", "one")
    assert read(storage, "a/two") == b"bytes"


# Failing


FULL: Final = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG]


@pytest.mark.parametrize("number", FULL, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["write", "fsync", "link", "mkdir"])
def test_a_full_disk_is_told_and_leaves_no_trace(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    (tmp_path / "team").mkdir(exist_ok=call != "mkdir")
    refuse(monkeypatch, call, number)
    with pytest.raises(NoSpace, match=r"cannot write 'team/sub/k': .*; (make room|raise the)"):
        storage.put("team/sub/k", b"bytes", condition=ABSENT)
    monkeypatch.undo()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    storage.put("team/sub/k", b"bytes", condition=ABSENT)
    assert read(storage, "team/sub/k") == b"bytes"


def test_a_disk_that_fills_up_in_the_middle_keeps_the_old_object(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = storage.put("k", b"old", condition=ABSENT)
    real = os.write
    left = 3

    def write(descriptor: int, data: memoryview) -> int:
        nonlocal left
        left -= 1
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(NoSpace):
        storage.put("k", noise(2 * MIB), condition=Matching(put.state))
    monkeypatch.undo()
    assert read(storage, "k") == b"old"
    assert {path.name for path in tmp_path.iterdir()} <= {"k", LOCK}


def test_a_real_limit_of_a_files_size_is_told(tmp_path: Path) -> None:
    program = f"""
import resource, signal
from storage.base import ABSENT, NoSpace
from storage.local import LocalStorage

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
storage = LocalStorage({str(tmp_path)!r})
storage.put("small", b"x" * 100_000, condition=ABSENT)
try:
    storage.put("large", b"x" * 100_001, condition=ABSENT)
except NoSpace as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "cannot write 'large': File too large; raise the limit of a file's size (ulimit -f)\n"
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


@pytest.mark.parametrize(
    ("number", "kind", "remedy"),
    [
        (errno.EROFS, Misconfigured, "mount it for writing"),
        (errno.EACCES, Misconfigured, "give the user that runs this process the right to it"),
        (errno.EIO, Unavailable, "look after the disk"),
        (errno.EMFILE, Unavailable, "ulimit -n"),
        (errno.ENFILE, Unavailable, "fs.file-max"),
        (errno.ESTALE, Unavailable, "Stale file handle"),
    ],
)
def test_what_the_system_refuses_is_told_with_its_remedy(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StorageError], remedy: str
) -> None:
    storage.put("k", b"bytes", condition=ABSENT)
    refuse(monkeypatch, "open", number)
    calls: list[Callable[[], object]] = [
        lambda: storage.put("other", b"", condition=ABSENT),
        lambda: storage.open("k"),
        lambda: storage.delete("k"),
    ]
    for call in calls:
        with pytest.raises(kind, match=remedy) as caught:
            call()
        assert type(caught.value) is kind


def test_a_real_lack_of_descriptors_is_told_and_passes(storage: LocalStorage) -> None:
    storage.put("k", b"bytes", condition=ABSENT)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(Unavailable, match="ulimit -n"):
            storage.open("k")
        with pytest.raises(Unavailable, match="ulimit -n"):
            list(storage.list())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert read(storage, "k") == b"bytes"


def test_a_folder_that_cannot_be_made_durable_leaves_the_outcome_open(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put("k", b"bytes", condition=ABSENT)
    root = tmp_path.stat().st_ino
    refuse(monkeypatch, "fsync", errno.EIO, when=lambda descriptor: os.fstat(descriptor).st_ino == root)
    for call in (lambda: storage.put("other", b"", condition=ABSENT), lambda: storage.delete("k")):
        with pytest.raises(Unavailable, match="power cut"):
            call()


def test_a_file_system_that_cannot_sync_folders_needs_none(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path.stat().st_ino
    refuse(monkeypatch, "fsync", errno.EINVAL, when=lambda descriptor: os.fstat(descriptor).st_ino == root)
    assert storage.check().conditional_writes
    storage.put("k", b"bytes", condition=ABSENT)
    assert read(storage, "k") == b"bytes"


def test_errors_of_the_source_are_not_the_storages(storage: LocalStorage, tmp_path: Path) -> None:
    class Upload(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError(errno.ECONNRESET, "the client went away")

    with pytest.raises(ConnectionResetError):
        storage.put("k", Upload(b"bytes"), condition=ABSENT)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_closes_what_it_opened(storage: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.put("k", b"bytes", condition=ABSENT)
    before = open_descriptors()
    failures: list[tuple[str, str, Condition]] = [
        ("write", "other", ABSENT),
        ("fsync", "other", ANYWAY),
        ("link", "other", ABSENT),
        ("link", "other", ANYWAY),
        ("rename", "k", ANYWAY),
    ]
    for call, key, condition in failures:
        with monkeypatch.context() as patch:
            refuse(patch, call, errno.EIO)
            with pytest.raises(Unavailable):
                storage.put(key, b"bytes", condition=condition)
    with pytest.raises(Changed):
        storage.open("k", state=State("another"))
    assert open_descriptors() == before


# Races between processes


RACER: Final = """
import json, sys
from storage.base import ABSENT, AlreadyExists, Changed, Matching
from storage.local import LocalStorage

storage = LocalStorage(sys.argv[1])
won = []
sys.stdin.readline()
for turn in range(100):
    try:
        storage.put(f"team/{turn}", sys.argv[2].encode(), condition=ABSENT)
        won.append(turn)
    except AlreadyExists:
        pass
counted = 0
while counted < 50:
    with storage.open("counter") as reader:
        number, state = int(reader.read()), reader.info.state
    try:
        storage.put("counter", b"%d" % (number + 1), condition=Matching(state), published=7)
        counted += 1
    except Changed:
        pass
print(json.dumps(won))
"""


def test_conditions_hold_between_processes(storage: LocalStorage, tmp_path: Path) -> None:
    storage.put("counter", b"0", condition=ABSENT)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path), str(racer)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for racer in range(4)
    ]
    for process in racers:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    results = [json.loads(process.communicate(timeout=60)[0]) for process in racers]
    assert sorted(turn for won in results for turn in won) == list(range(100))
    for racer, won in enumerate(results):
        assert all(read(storage, f"team/{turn}") == b"%d" % racer for turn in won)
    assert read(storage, "counter") == b"200"


def test_readers_see_the_old_object_or_the_new_one_while_it_is_replaced(storage: LocalStorage) -> None:
    storage.put("k", b"0" * MIB, condition=ABSENT)
    done = threading.Event()

    def replace() -> None:
        for number in range(50):
            storage.put("k", b"%d" % (number % 10) * MIB, condition=ANYWAY)
        done.set()

    writer = threading.Thread(target=replace)
    writer.start()
    while not done.is_set():
        content = read(storage, "k")
        assert len(content) == MIB
        assert len(set(content)) == 1
    writer.join()


# Check


def test_a_missing_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "a/b")
    assert storage.check().conditional_writes
    assert str(tmp_path / "a/b") in storage.check().description
    assert {path.name for path in (tmp_path / "a/b").iterdir()} == {LOCK}


def test_a_missing_folder_is_not_made_for_reading(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="there is no folder"):
        LocalStorage(tmp_path / "missing").check(writable=False)
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("below", ["", "/data"])
@pytest.mark.parametrize("writable", [True, False])
def test_a_file_is_no_folder(tmp_path: Path, below: str, *, writable: bool) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Misconfigured, match="is not a folder"):
        LocalStorage(f"{tmp_path}/file{below}").check(writable=writable)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["mkdir", "open", "scandir"])
def test_a_folder_that_may_not_be_used_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    refuse(monkeypatch, call, number)
    with pytest.raises(Misconfigured, match="cannot use the folder") as caught:
        LocalStorage(tmp_path / "data").check()
    assert str(tmp_path / "data") in str(caught.value)


def test_a_file_system_that_keeps_whole_seconds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.utime
    monkeypatch.setattr(os, "utime", lambda file, *, ns: real(file, ns=(ns[0], ns[1] // 1_000_000_000 * 1_000_000_000)))
    with pytest.raises(Misconfigured, match="whole seconds"):
        LocalStorage(tmp_path).check()
    assert {path.name for path in tmp_path.iterdir()} <= {LOCK}


def test_a_file_system_without_locks_promises_nothing_to_other_processes(
    storage: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.local.fcntl.flock", failing(errno.ENOLCK))
    assert not storage.check().conditional_writes
    put = storage.put("k", b"first", condition=ABSENT)
    storage.put("k", b"second", condition=Matching(put.state))
    storage.delete("k")


def test_what_another_process_found_out_need_not_be_found_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", failing(errno.EOPNOTSUPP))
    storage = LocalStorage(tmp_path, conditional_writes=False)
    storage.put("k", b"first", condition=ABSENT)
    with pytest.raises(AlreadyExists):
        storage.put("k", b"second", condition=ABSENT)


def test_the_folder_is_that_of_the_moment_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = LocalStorage("data")
    monkeypatch.chdir("/")
    storage.check()
    assert (tmp_path / "data").is_dir()


def open_descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def failing(number: int) -> Callable[..., Any]:
    def fail(*args: object, **options: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


def refuse(
    monkeypatch: pytest.MonkeyPatch, name: str, number: int, *, when: Callable[..., bool] = lambda *_: True
) -> None:
    """Let a function of `os` fail where `when` says so of its arguments."""
    real = getattr(os, name)

    def maybe(*args: Any, **options: Any) -> Any:
        return failing(number)() if when(*args) else real(*args, **options)

    monkeypatch.setattr(os, name, maybe)
