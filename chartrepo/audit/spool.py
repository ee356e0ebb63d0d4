"""Where records wait for their way to the storage: a file on the local disk that every process of a server appends to.

A record is in it when `append` returns, whatever becomes of the process then. Whoever takes the records to the storage
renames the file first, to a name that is random and stays: an object is called by it, so that what is taken there a
second time, because somebody died in between, is still there once. Servers that share the folder share the file too.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from chartrepo.catalog.folders import make_private

_OPEN: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
_PRIVATE: Final = 0o600
_END: Final = b"\n"


class Spool:
    """Records that wait. Safe to share between threads and processes.

    Args:
        folder: on a local disk; made when it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "waiting.jsonl"

    def append(self, line: bytes) -> None:
        """Add a line, which ends as lines do. A power failure may take it, the death of a process does not.

        Raises:
            OSError: it cannot be written; nothing of it is there.
        """
        with self._held(make=True) as descriptor:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != _END:
                line = _END + line  # somebody was killed in the middle of another one
            try:
                while line:
                    line = line[os.write(descriptor, line) :]
            except OSError:
                os.ftruncate(descriptor, size)
                raise

    def batches(self) -> list[Path]:
        """Return the files of records that are to be taken to the storage. Nobody writes to them any more.

        Raises:
            OSError: they cannot be found out.
        """
        with suppress(FileNotFoundError), self._held(make=False):
            self._file.rename(self._folder / f"batch-{secrets.token_hex(8)}.jsonl")
        return self._batches()

    def lines(self) -> Iterator[bytes]:
        """Give all lines that wait, without their ends; some twice, or not at all, that are taken away meanwhile.

        Raises:
            OSError: they cannot be read.
        """
        yield from _lines(self._file)
        for batch in self._batches():  # listed last, so that no line slips past on its way into one
            yield from _lines(batch)

    def _batches(self) -> list[Path]:
        return sorted(self._folder.glob("batch-*.jsonl"))

    @contextmanager
    def _held(self, *, make: bool) -> Iterator[int]:
        """Hold the file to which records are appended; nobody else writes or renames it meanwhile.

        Raises:
            FileNotFoundError: it is not there, and not to be made.
        """
        while True:
            descriptor = self._open(make=make)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if self._is_still(descriptor):
                    yield descriptor
                    return
            finally:
                os.close(descriptor)

    def _open(self, *, make: bool) -> int:
        if not make:
            return os.open(self._file, _OPEN & ~os.O_CREAT)
        try:
            return os.open(self._file, _OPEN, _PRIVATE)
        except FileNotFoundError:
            make_private(self._folder)
            return os.open(self._file, _OPEN, _PRIVATE)

    def _is_still(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(self._file.stat(), os.fstat(descriptor))
        except FileNotFoundError:
            return False  # it was renamed before it was held


def _lines(file: Path) -> list[bytes]:
    try:
        return file.read_bytes().split(_END)
    except FileNotFoundError:
        return []


def batch_id(batch: Path) -> str:
    """Return the random part of a batch's name."""
    return batch.stem.removeprefix("batch-")
