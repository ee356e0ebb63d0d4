"""Files in which packages wait while they are looked at: in memory while small, then without a name on disk."""

from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, cast

from chartrepo.catalog.folders import make_private

_IN_MEMORY: Final = 512 * 1024
"""Bytes of a package that are kept in memory; most are smaller."""


class _Waiting(SpooledTemporaryFile[bytes]):
    """Moves to disk also where somebody removed the folder since the server started."""

    def __init__(self, folder: Path) -> None:
        super().__init__(max_size=_IN_MEMORY, dir=str(folder))
        self._folder = folder

    def rollover(self) -> None:
        make_private(self._folder)
        super().rollover()


def waiting_file(folder: Path) -> BinaryIO:
    """Return an empty file that moves to disk when it grows; there it has no name, and is gone when the process is."""
    return cast("BinaryIO", _Waiting(folder))
