"""Taking in what clients upload, without ever holding more than a little of it in memory."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

from flask import Request, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from chartrepo.http.errors import BadRequest
from chartrepo.waiting import waiting_file
from storage.base import NoSpace

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
        return waiting_file(self._folder)

    def take(self, source: IO[bytes]) -> BinaryIO:
        """Return a file with all the bytes that `source` gives.

        Raises:
            NoSpace: the disk is full.
        """
        file = self.file()
        try:
            with _filling():
                while piece := source.read(_PIECE):
                    file.write(piece)
        except BaseException:
            file.close()
            raise
        return file


@contextmanager
def _filling() -> Iterator[None]:
    """Tell a full disk by its name while files are written.

    Raises:
        NoSpace: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace("there is no space for the upload: free some in the server's state_dir") from None
        raise


def whole_form() -> Request:
    """Return the request that is answered, once its form was read to the end.

    Raises:
        BadRequest: it has none that makes sense.
        NoSpace: the disk is full; and as `Body.read`.
    """
    try:
        with _filling():
            _ = request.files
    except ValueError:
        raise BadRequest("the form is malformed, or it broke off before its end") from None
    except RequestEntityTooLarge:
        raise BadRequest("the form has too many fields, or too long ones: send chart and prov as files") from None
    return request


def request_class(spool: Spool) -> type[Request]:
    """Return the request class whose multipart parts wait in `spool`.

    Its forms are whole or an error: Werkzeug by itself takes one that broke off in the middle for an empty one.
    """

    class SpooledRequest(Request):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._waiting: list[BinaryIO] = []

        def _get_file_stream(self, *_arguments: Any, **_options: Any) -> IO[bytes]:
            file = spool.file()
            self._waiting.append(file)
            return file

        def make_form_data_parser(self) -> FormDataParser:
            parser = super().make_form_data_parser()
            parser.silent = False
            return parser

        def close(self) -> None:
            super().close()
            for file in self._waiting:
                file.close()

    return SpooledRequest
