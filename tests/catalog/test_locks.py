"""Locks on files."""

import fcntl
import shutil
import threading
from pathlib import Path

import pytest

from chartrepo.catalog.locks import LockFolder
from chartrepo.core.errors import CatalogUnavailable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "locks"


def test_a_key_is_locked_by_one_at_a_time(folder: Path) -> None:
    impatient = LockFolder(folder, patience=0.05)
    with LockFolder(folder, patience=0).key(b"a"):
        with pytest.raises(CatalogUnavailable, match="takes too long"), impatient.key(b"a"):
            pytest.fail("the block was entered")
        with impatient.key(b"b"):
            pass
    with impatient.key(b"a"):
        pass


def test_whoever_waits_gets_the_lock(folder: Path) -> None:
    order = []
    locks = LockFolder(folder, patience=30)

    def wait() -> None:
        with locks.key(b"a"):
            order.append("second")

    with locks.key(b"a"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_locks_of_two_groups_do_not_keep_each_other_out(folder: Path) -> None:
    locks = LockFolder(folder, patience=0)
    with locks.key(b"a", "name"), locks.key(b"a", "key"), pytest.raises(CatalogUnavailable), locks.key(b"a", "name"):
        pytest.fail("the block was entered")


def test_a_lock_is_given_back_when_its_block_fails(folder: Path) -> None:
    locks = LockFolder(folder, patience=0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locks.key(b"a"):
            raise ZeroDivisionError
        with pytest.raises(ZeroDivisionError), locks.attempt("name"):
            raise ZeroDivisionError


def test_the_folder_may_be_removed_at_any_time(folder: Path) -> None:
    locks = LockFolder(folder, patience=0)
    with locks.key(b"a"):
        shutil.rmtree(folder)
    with locks.key(b"a"), locks.attempt("name") as held:
        assert held


def test_a_lock_on_a_file_that_was_removed_is_not_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else holds the lock on the file that is there now."""
    holder = LockFolder(folder, patience=0)
    replaced = []
    flock = fcntl.flock

    def replace_before_locking(descriptor: int, operation: int) -> None:
        if not replaced and operation & fcntl.LOCK_NB:
            replaced.append(shutil.rmtree(folder))
            held = holder.attempt("name")
            assert held.__enter__()
            replaced.append(held)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", replace_before_locking)
    with LockFolder(folder, patience=0).attempt("name") as mine:
        assert not mine
    replaced[1].__exit__(None, None, None)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CatalogUnavailable, match="lock file"), LockFolder(tmp_path / "file", patience=0).key(b"a"):
        pytest.fail("the block was entered")
