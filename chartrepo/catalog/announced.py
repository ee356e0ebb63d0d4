"""Which write was announced last, in a small file that all processes share.

It tells without asking the database that nothing was written since something was read. Whoever writes holds the
database's lock, takes the next number, announces it here, and commits it with all else. So

* what is read after write `n` was committed stands while `n` is the last one that was announced, and
* where `n` is announced and not committed, its writer is at it, died, or failed: then nothing is known.

Numbers stand for themselves and by stripe of the storage key, so that an upload leaves alone what is known of others.
The file is read and not mapped into memory: a process that maps a file dies where somebody cuts it off.
"""

import os
import struct
import weakref
from pathlib import Path
from typing import Final

from chartrepo.catalog.generations import Identity
from chartrepo.catalog.locks import STRIPES

EVERYTHING: Final = STRIPES
"""The field of all writes. Those below it are for writes to packages whose key is of that stripe."""

_FIRST: Final = STRIPES + 1
_NUMBER: Final = struct.Struct("=Q")
_SIZE: Final = _NUMBER.size * (STRIPES + 2)


class Announced:
    """The numbers of one database.

    Args:
        path: the file.

    Attributes:
        file: which file it is.

    Raises:
        OSError: it is not there, or is not such a file.
    """

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        # Not when the connection is closed: what was seen through it may be asked for once more.
        weakref.finalize(self, os.close, self._descriptor).atexit = False
        found = os.fstat(self._descriptor)
        self.file = Identity(found.st_dev, found.st_ino)
        first = self._read(_FIRST)
        if found.st_size != _SIZE or first is None:
            raise OSError(f"{path!r} is not what it was made as")
        # The number from which this database counts, which is another one for each; and the highest that is known to
        # be committed.
        self._first = self._committed = first

    @staticmethod
    def make(path: Path, first: int) -> None:
        """Make the file of a database in which nothing was written since it was built, and that counts from `first`."""
        path.write_bytes(_NUMBER.pack(first) * (STRIPES + 2))

    def version(self, field: int) -> int | None:
        """Return the number of the last write of this kind, where that is known to be committed."""
        number = self._read(field)
        return number if number is not None and self._first <= number <= self._committed else None

    def learn(self, first: int, last: int) -> None:
        """Take over which write the database committed last; one that counts from elsewhere is another one."""
        if first == self._first:
            self._committed = max(self._committed, last)

    def announce(self, number: int, *stripes: int) -> None:
        """Say that a write to packages of these stripes is about to be committed. For who holds the database's lock.

        Raises:
            OSError: it was not said.
        """
        packed = _NUMBER.pack(number)
        for field in (*stripes, EVERYTHING):
            os.pwrite(self._descriptor, packed, field * _NUMBER.size)

    def _read(self, field: int) -> int | None:
        try:
            data = os.pread(self._descriptor, _NUMBER.size, field * _NUMBER.size)
        except OSError:
            return None
        if len(data) < _NUMBER.size:
            return None
        number: int = _NUMBER.unpack(data)[0]
        return number
