"""Counting of pulls on the path of requests: a number in a piece of memory that is a file as well.

A pull may cost next to nothing, and workers start no threads. So each counts in a file of its own that is mapped into
its memory: what is counted is in the file at once, whatever becomes of the process, and whoever works in the background
reads it, also where the worker has nothing more to do. That one seals a file before it takes it away (see
`chartrepo.pulls.counts_file`), and the worker goes on in a new one with the next pull.
"""

import logging
import mmap
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final

from chartrepo.core.pulls import Pull
from chartrepo.pulls import counts_file
from chartrepo.pulls.counts_file import SEALED, SIZE

log = logging.getLogger(__name__)

_LOOK_EVERY: Final = 60
"""Seconds after which it is looked whether the file is still there, or can be had now."""
_MOST_FILES: Final = 256
"""Files in the folder, of all workers: where nobody takes them away, no more are made."""


class Uncounted:
    """Counts nothing, for a server that is told not to."""

    def count(self, pull: Pull) -> None:
        """Count that a package is given to somebody."""


class Counting(Uncounted):
    """Counts in files. Safe to share between threads, and not between a process and its forks.

    Args:
        folder: where they lie, on a local disk; made when it is missing.
        clock: seconds since the epoch.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = Lock()
        self._cells = _sealed_memory()
        self._places: dict[Pull, int] = {}
        self._used = counts_file.HEAD
        self._file: Path | None = None
        self._look_at = 0

    def count(self, pull: Pull) -> None:
        """Count that a package is given to somebody. Never fails, and waits for no other machine."""
        now = int(self._clock())
        with self._lock:
            if now >= self._look_at or self._cells[SEALED]:
                self._look(now)
            at = self._places.get(pull)
            if at is None:
                at = self._place_of(pull, now)
            cells = self._cells
            cells[at] += 1
            cells[at + 1] = now

    def _look(self, now: int) -> None:
        """Go on in a new file, where this one is sealed or gone, or where there is none yet."""
        self._look_at = now + _LOOK_EVERY
        if self._cells[SEALED] or self._file is None or not self._file.exists():
            self._begin()

    def _place_of(self, pull: Pull, now: int) -> int:
        """Return where a package is counted that was not yet."""
        key = counts_file.to_key(pull)
        if not counts_file.has_room(self._used, key):
            self._cells[SEALED] = 1
            self._look(now)
        at = counts_file.write_key(self._cells, self._used, key)
        self._places[pull] = at
        self._used = at + counts_file.COUNTS
        return at

    def _begin(self) -> None:
        """Count in a new file; where none can be had, in memory until it can.

        What nobody is going to take away, for it is in memory or somebody removed the file, is counted there too.
        """
        cells, self._file = self._new_cells()
        if self._cells[SEALED]:
            self._places.clear()
            self._used = counts_file.HEAD
        else:
            cells[counts_file.HEAD : self._used] = self._cells[counts_file.HEAD : self._used]
        self._cells = cells

    def _new_cells(self) -> "tuple[memoryview[int], Path | None]":
        file = self._folder / f"{counts_file.PREFIX}{secrets.token_hex(8)}"
        try:
            if len(counts_file.all_files(self._folder)) >= _MOST_FILES:
                log.warning("pulls are not counted for now: nobody takes away what lies in %s", self._folder)
            else:
                return memoryview(counts_file.make(file)).cast("B").cast("Q"), file
        except OSError as error:
            log.warning("pulls cannot be counted for now: %s: %s", self._folder, error.strerror or error)
        return memoryview(mmap.mmap(-1, SIZE)).cast("B").cast("Q"), None


def _sealed_memory() -> "memoryview[int]":
    cells = memoryview(bytearray(counts_file.HEAD * counts_file.CELL)).cast("Q")
    cells[SEALED] = 1
    return cells
