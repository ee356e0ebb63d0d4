"""Icons that were made, and those that could not be had, in a folder of the local disk that all workers share."""

import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from chartrepo.catalog.folders import make_private

FAILED_FOR: Final = 3600.0
"""Seconds for which nobody tries again what failed."""
_MOST: Final = 2000
"""Files; the oldest go first. None is larger than a PNG of 128 by 128 pixels can be, which is 66 KB."""
_MADE: Final = ".png"
_FAILED: Final = ".failed"
_LOCKS: Final = 64


class Kept(NamedTuple):
    """What is known of an icon: the picture, or None where it could not be had."""

    png: bytes | None


class KeptIcons:
    """The folder. Safe to share between threads and processes. What cannot be kept is as if it were not known.

    Args:
        folder: on a local disk; made when it is missing.
        most: files in it.
        clock: seconds since the epoch.
    """

    def __init__(self, folder: Path, *, most: int = _MOST, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._most = most
        self._clock = clock

    def get(self, key: str) -> Kept | None:
        """Return what is known of the icon with this key, a word of hexadecimal digits; None for nothing."""
        with suppress(OSError):
            return Kept((self._folder / f"{key}{_MADE}").read_bytes())
        with suppress(OSError):
            failed = (self._folder / f"{key}{_FAILED}").stat().st_mtime
            if abs(self._clock() - failed) < FAILED_FOR:
                return Kept(None)
        return None

    def keep(self, key: str, png: bytes | None) -> None:
        """Keep an icon, or that it could not be had."""
        file = self._folder / f"{key}{_FAILED if png is None else _MADE}"
        with suppress(OSError):
            make_private(self._folder)
            new = self._folder / f"new-{secrets.token_hex(8)}"
            new.write_bytes(png or b"")
            os.utime(new, (self._clock(), self._clock()))
            new.rename(file)
            if png is not None:
                (self._folder / f"{key}{_FAILED}").unlink(missing_ok=True)
            self._remove_oldest()

    def _remove_oldest(self) -> None:
        with os.scandir(self._folder) as entries:
            files = [(entry.stat().st_mtime, entry.path) for entry in entries if not entry.name.startswith("lock-")]
        if len(files) > self._most:
            for _, path in sorted(files)[: len(files) - self._most * 9 // 10]:
                Path(path).unlink(missing_ok=True)

    @contextmanager
    def alone(self, key: str) -> Iterator[bool]:
        """Hold what nobody else holds who gets the same icon; tell whether that is so, without waiting for it."""
        descriptor = self._lock(f"lock-{int(key[:8], 16) % _LOCKS:02}")
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _lock(self, name: str) -> int | None:
        try:
            make_private(self._folder)
            descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return None
        return descriptor
