"""Bodies of requests: bounded in size and time, and read to a bounded rest where the answer came early.

Both servers hand over a `wsgi.input` that ends by itself, with a Content-Length or chunked.
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any, BinaryIO, Final

from chartrepo.core.errors import BodyTooLarge
from chartrepo.http.errors import BadRequest, BodyTooSlow

_PIECE: Final = 64 * 1024
_DRAINED_AT_MOST: Final = 64 * 2**20
"""Bytes that are read after an early refusal."""
_DRAINED_SECONDS: Final = 5.0


class Body:
    """The body of one request, in place of the server's `wsgi.input`.

    Args:
        source: the server's.
        limit: bytes; one more is `BodyTooLarge`.
        announced: its Content-Length, where the client gave one.
        seconds: how long the whole may take.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        source: BinaryIO,
        *,
        limit: int,
        announced: int | None,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._limit = limit
        self._announced = announced
        self._clock = clock
        self._seconds = seconds
        self._deadline = clock() + seconds
        self._taken = 0
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, all of them when negative.

        Raises:
            BodyTooLarge: it is, or says it is, larger than the limit.
            BodyTooSlow: it did not come in time.
            BadRequest: the client hung up before the end.
        """
        if self._announced is not None and self._announced > self._limit:
            raise self._too_large()
        if size < 0:
            return b"".join(iter(lambda: self._read_piece(_PIECE), b""))
        return self._read_piece(size)

    def _read_piece(self, size: int) -> bytes:
        if self._ended:
            return b""
        if self._clock() > self._deadline:
            raise BodyTooSlow(f"the body did not arrive within {self._seconds:g} seconds (upload_timeout)")
        try:
            piece = self._source.read(size)
        except TimeoutError:
            raise BodyTooSlow("the body stopped arriving") from None
        except (OSError, ValueError):
            raise BadRequest("the body broke off") from None
        self._taken += len(piece)
        if self._taken > self._limit:
            raise self._too_large()
        if not piece and size:
            self._ended = True
            if self._announced is not None and self._taken < self._announced:
                raise BadRequest(f"the body broke off after {self._taken} of {self._announced} bytes")
        return piece

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(f"the upload is larger than {self._limit} bytes: raise max_upload_size to allow it")

    def drain(self) -> None:
        """Read what the client still sends, up to a bound."""
        until = self._clock() + _DRAINED_SECONDS
        left = _DRAINED_AT_MOST
        with contextlib.suppress(OSError, ValueError):
            while not self._ended and left > 0 and self._clock() < until:
                if self._announced is not None and self._taken >= self._announced:
                    self._ended = True
                    break
                piece = self._source.read(_PIECE)
                self._taken += len(piece)
                left -= len(piece)
                self._ended = not piece


def announced_length(environ: dict[str, Any]) -> int | None:
    """Return the Content-Length of a request, or None where there is none that makes sense."""
    text = environ.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdigit() else None


def has_body(environ: dict[str, Any]) -> bool:
    """Return whether a request brings a body."""
    return bool(announced_length(environ)) or "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
