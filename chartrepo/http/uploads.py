"""Taking in what clients upload, without ever holding more than a little of it in memory."""

import errno
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, BinaryIO, Final, cast

from flask import Request

from storage.base import NoSpace

_IN_MEMORY: Final = 512 * 1024
"""Bytes of an upload that are kept in memory; most packages are smaller."""

_PIECE: Final = 64 * 1024


class Spool:
    """Where uploads wait while they are checked.

    Args:
        folder: on a disk; what lies there has no name, and is gone when the process is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self) -> BinaryIO:
        """Return an empty file that moves to disk when it grows."""
        return cast("BinaryIO", SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(self._folder)))

    def take(self, source: IO[bytes]) -> BinaryIO:
        """Return a file with all the bytes that `source` gives.

        Raises:
            NoSpace: the disk is full.
        """
        file = self.file()
        try:
            while piece := source.read(_PIECE):
                file.write(piece)
        except OSError as error:
            file.close()
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise NoSpace(f"no space for the upload in {self._folder}: free some and try again") from None
            raise
        except BaseException:
            file.close()
            raise
        return file


def request_class(spool: Spool) -> type[Request]:
    """Return the request class whose multipart parts wait in `spool`."""

    class SpooledRequest(Request):
        def _get_file_stream(self, *_args: Any, **_kwargs: Any) -> IO[bytes]:
            return spool.file()

    return SpooledRequest
