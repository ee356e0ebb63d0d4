"""The file in which a worker counts pulls, as it lies in its memory and on the disk.

It consists of cells of eight bytes. Two make its head: what kind of file it is, and whether it is sealed. Then come the
packages, each with the length of its key, the key, filled up to whole cells, and two cells of counts: how often, and
when it was last. A length of zero ends them. Its blocks are taken beforehand: a write to memory that the disk has no
room for would end the worker.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from chartrepo.catalog.folders import make_private
from chartrepo.core.pulls import Pull, Tally

PREFIX: Final = "count-"
CELL: Final = 8
SIZE: Final = 1024 * 1024
"""Bytes of a file. 10,000 packages and more fit in."""
HEAD: Final = 2
"""Cells."""
COUNTS: Final = 2
"""Cells."""
SEALED: Final = 1
"""The cell that is not zero once nobody is to count in the file any more."""

_KIND: Final = int.from_bytes(b"pulls  1", "little")
_END: Final = 1
_CELLS: Final = SIZE // CELL
_BETWEEN: Final = "\n"
_LONGEST_KEY: Final = 4096
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_PRIVATE: Final = 0o600
_PAIR: Final = struct.Struct("=QQ")
_ONE: Final = struct.Struct("=Q")


def make(file: Path) -> mmap.mmap:
    """Make a file that is not there yet, and return it as memory.

    Raises:
        OSError: it cannot be had, or the disk is full.
    """
    try:
        descriptor = os.open(file, _NEW, _PRIVATE)
    except FileNotFoundError:
        make_private(file.parent)
        descriptor = os.open(file, _NEW, _PRIVATE)
    try:
        os.posix_fallocate(descriptor, 0, SIZE)
        memory = mmap.mmap(descriptor, SIZE)
    except OSError:
        file.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    memory[:CELL] = _ONE.pack(_KIND)
    return memory


def to_key(pull: Pull) -> bytes:
    """Return what a package is called in a file."""
    return _BETWEEN.join(pull).encode("utf-8", "surrogatepass")


def has_room(used: int, key: bytes) -> bool:
    """Return whether a package with this key fits behind the cells that are used."""
    return used + 1 + _cells_of(key) + COUNTS + _END <= _CELLS


def write_key(cells: "memoryview[int]", used: int, key: bytes) -> int:
    """Write a package behind the cells that are used, and return the first cell of its counts."""
    begin = used + 1
    width = _cells_of(key)
    cells[begin : begin + width] = memoryview(key.ljust(width * CELL, b"\0")).cast("Q")
    cells[used] = len(key)  # last, so that whoever reads meanwhile sees no half key
    return begin + width


def all_files(folder: Path) -> list[Path]:
    """Return the files in a folder in which is or was counted."""
    return sorted(folder.glob(f"{PREFIX}*"))


def seal(file: Path) -> None:
    """Have nobody begin to count in a file any more; who is at it has done so a moment later."""
    with suppress(FileNotFoundError):
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_size == SIZE:
                os.pwrite(descriptor, _ONE.pack(1), SEALED * CELL)
        finally:
            os.close(descriptor)


def read(file: Path) -> Iterator[tuple[Pull, Tally]]:
    """Give what was counted in a file; nothing of one that is none, or of what is broken in it.

    Raises:
        OSError: it cannot be read.
    """
    data = file.read_bytes()
    if len(data) != SIZE or _ONE.unpack_from(data)[0] != _KIND:
        return
    at = HEAD * CELL
    while at < SIZE - CELL and (length := _ONE.unpack_from(data, at)[0]):
        at += CELL
        end = at + -(-length // CELL) * CELL
        if length > _LONGEST_KEY or end + _PAIR.size > SIZE:
            return
        count, last = _PAIR.unpack_from(data, end)
        parts = data[at : at + length].decode("utf-8", "surrogatepass").split(_BETWEEN)
        if len(parts) == len(Pull._fields) and count:
            yield Pull(*parts), Tally(count, last)
        at = end + _PAIR.size


def _cells_of(key: bytes) -> int:
    return -(-len(key) // CELL)
