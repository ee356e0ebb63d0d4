"""The files that metrics are counted in, with their place on the disk taken beforehand.

The library maps its files into memory, and writes to pages that have no block on the disk yet. Where the disk is full
by then, the kernel ends the process with SIGBUS: a full disk would take down every worker, one after the other.
"""

import logging
import os
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

log = logging.getLogger(__name__)

_RESERVED: Final = 1 << 18
"""Bytes of a new file; all series of an ordinary server fit in."""

_PAIR: Final = struct.Struct("dd")
"""A value and its timestamp, in a file of the library."""

_AROUND_A_KEY: Final = 64
"""More than the bytes that a series takes beside its key."""


def use() -> None:
    """Let the library count in files of this kind, where the system can reserve room for them."""
    if hasattr(os, "posix_fallocate"):
        values.MmapedDict = ReservedFile  # type: ignore[attr-defined] # there is no public way in


def is_lost(value: Any) -> bool:
    """Return whether a value of the library is counted in a file that is no longer where a scrape looks for it."""
    file = value._file  # noqa: SLF001 - there is no public way in
    return isinstance(file, ReservedFile) and file.is_lost()


class ReservedFile(MmapedDict):
    """Counts in a file whose blocks are reserved. Where the disk has none, in memory, which no scrape sees."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's arguments
        """Open a file, or a piece of memory in its place."""
        memory = None if read_mode or _reserve_new(filename) else _memory()
        super().__init__(filename if memory is None else f"/proc/self/fd/{memory}", read_mode)  # type: ignore[no-untyped-call]
        self._opened = os.fstat(self._f.fileno()) if memory is None else None
        if memory is not None:
            os.close(memory)

    def is_lost(self) -> bool:
        """Return whether somebody removed the file, or moved it away, so that no scrape sees what is counted in it."""
        if self._opened is None:
            return False
        try:
            return not os.path.samestat(Path(self._fname).stat(), self._opened)
        except OSError:
            return True

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Write a value, as the library does; it is on the path of every request, and this takes half the time."""
        position = self._positions.get(key)
        if position is None:
            super().write_value(key, value, timestamp)  # type: ignore[no-untyped-call]
        else:
            self._m[position : position + _PAIR.size] = _PAIR.pack(value, timestamp)

    def _init_value(self, key: str) -> None:
        if self._used + len(key.encode()) + _AROUND_A_KEY > self._capacity:
            self._reserve_more()
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _reserve_more(self) -> None:
        try:
            os.posix_fallocate(self._f.fileno(), 0, 2 * self._capacity)
        except OSError as error:
            _tell(self._fname, error)
            counted: Any = self._m
            self._f.close()
            self._f = os.fdopen(_memory(), "a+b", buffering=0)
            self._opened = None
            self._f.write(counted[:])


def _reserve_new(filename: str) -> bool:
    try:
        descriptor = os.open(filename, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _RESERVED)
        finally:
            os.close(descriptor)
    except OSError as error:
        _tell(filename, error)
        with suppress(OSError):
            os.unlink(filename)  # noqa: PTH108 - a scrape must not meet half a file
        return False
    return True


def _memory() -> int:
    return os.memfd_create("chartrepo-metrics")


def _tell(filename: str, error: OSError) -> None:
    log.warning("%s cannot be counted in (%s): /metrics will lack what this process counts", filename, error.strerror)
