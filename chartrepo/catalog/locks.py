"""Locks between threads and processes of one machine: `flock` on files in a folder."""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chartrepo.catalog.folders import make_private
from chartrepo.core.errors import CatalogUnavailable

STRIPES: Final = 256
_FIRST_PAUSE: Final = 0.0005
_LONGEST_PAUSE: Final = 0.02


def stripe_of(key: bytes) -> int:
    """Return which of the `STRIPES` a storage key belongs to."""
    return hashlib.blake2b(key, digest_size=1).digest()[0]


class LockFolder:
    """A folder of lock files. They are empty, stay where they are, and a process that dies lets go of its locks.

    A thread that waits for a lock it holds itself waits in vain.

    Args:
        folder: made when it is missing.
        patience: how long to wait for a lock, in seconds.
    """

    def __init__(self, folder: Path, *, patience: float) -> None:
        self._folder = folder
        self._patience = patience

    @contextmanager
    def key(self, key: bytes, group: str = "key") -> Iterator[None]:
        """Hold the lock on a key. The keys of a group share 256 files, so hold one of each group at a time.

        Raises:
            CatalogUnavailable: others held it for too long, or the file cannot be made.
        """
        descriptor = self._acquire(f"{group}-{stripe_of(key):02x}", self._patience)
        if descriptor is None:
            raise CatalogUnavailable("another upload of this package, or one beside it, takes too long: try again soon")
        try:
            yield
        finally:
            _release(descriptor)

    @contextmanager
    def attempt(self, name: str) -> Iterator[bool]:
        """Hold the lock of this name, if nobody else does, and say whether it is held.

        Raises:
            CatalogUnavailable: the file cannot be made.
        """
        descriptor = self._acquire(name, 0)
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                _release(descriptor)

    def _acquire(self, name: str, patience: float) -> int | None:
        deadline = time.monotonic() + patience
        pause = _FIRST_PAUSE
        while True:
            descriptor = self._try(name)
            if descriptor is not None:
                return descriptor
            if time.monotonic() >= deadline:
                return None
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _try(self, name: str) -> int | None:
        path = self._folder / f"{name}.lock"
        try:
            descriptor = _open(path)
        except OSError as error:
            raise CatalogUnavailable(f"the lock file {str(path)!r} cannot be opened: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A lock on a file that was removed meanwhile keeps nobody out.
            if _is_at(path, descriptor):
                return descriptor
        except BlockingIOError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        make_private(path.parent)
        return os.open(path, flags, 0o600)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _release(descriptor: int) -> None:
    # Closing alone would leave the lock to a child process that was forked meanwhile.
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
