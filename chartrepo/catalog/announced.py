"""Which write was announced last, in a file that every process maps into its memory.

It tells without asking the database that nothing was written since something was read. Whoever writes holds the
database's lock, takes the next number, announces it here, and commits it with all else. So

* what is read after write `n` was committed stands while `n` is the last one that was announced, and
* where `n` is announced and not committed, its writer is at it, died, or failed: then nothing is known.

Numbers stand for themselves and by stripe of the storage key, so that an upload leaves alone what is known of others.
"""

import mmap
import os
import struct
from pathlib import Path
from typing import Final

from chartrepo.catalog.generations import Identity
from chartrepo.catalog.locks import STRIPES

EVERYTHING: Final = STRIPES
"""The field of all writes. Those below it are for writes to packages whose key is of that stripe."""

_FIRST: Final = STRIPES + 1
_SIZE: Final = 8 * (STRIPES + 2)


class Announced:
    """The numbers of one database.

    Args:
        path: the file.

    Attributes:
        file: which file it is.
        first: the number from which this database counts: a random one, so that two databases share none.
        committed: the highest number that this process knows to be committed.

    Raises:
        OSError: it is not there, or is not such a file.
    """

    def __init__(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if found.st_size != _SIZE:
                raise OSError(f"{path!r} is not what it was made as")
            self.file = Identity(found.st_dev, found.st_ino)
            self._numbers = memoryview(mmap.mmap(descriptor, _SIZE)).cast("Q")
            self.first = self.committed = self.last(_FIRST)
        finally:
            os.close(descriptor)

    @staticmethod
    def make(path: Path, first: int) -> None:
        """Make the file of a database in which nothing was written since it was built, and that counts from `first`."""
        path.write_bytes(struct.pack("=Q", first) * (STRIPES + 2))

    def last(self, field: int) -> int:
        """Return the number of the last write of this kind that was announced."""
        number: int = self._numbers[field]
        return number

    def announce(self, number: int, *stripes: int) -> None:
        """Say that a write to packages of these stripes is about to be committed. For who holds the database's lock."""
        for field in (*stripes, EVERYTHING):
            self._numbers[field] = number
