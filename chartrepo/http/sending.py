"""Sending objects of the storage: whole, in part, or not at all where the client has them already."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from werkzeug.http import http_date, parse_date, parse_etags

from chartrepo.http.answers import Answer, Headers
from storage.base import Reader

Environ = dict[str, Any]
Part = Callable[[int, int], Reader]
"""Opens the same object anew, in the same state: so many bytes of it, from such a byte on."""

_PIECE: Final = 256 * 1024
"""Bytes of an object in memory at a time."""

_RANGE: Final = re.compile(r"bytes=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.ASCII | re.IGNORECASE)
"""One part. Whoever asks for several gets the whole, as RFC 9110 allows."""


def send(environ: Environ, reader: Reader, headers: Headers, *, etag: str, changed: int, part: Part) -> Answer:
    """Return the answer that gives an object, as the headers of the request want it.

    Args:
        environ: the request.
        reader: the object; it is closed in time.
        headers: of the whole object.
        etag: without quotes.
        changed: when it changed last, in seconds since the epoch.
        part: opens a part of it.
    """
    size = reader.info.size
    if is_known(environ, etag, changed):
        reader.close()
        return Answer(304, headers[1:])
    if environ["REQUEST_METHOD"] == "HEAD":
        reader.close()
        return Answer(200, headers, (), size)
    if "HTTP_RANGE" in environ:
        wanted = _range(environ, etag, changed, size)
        if wanted is not None:
            reader.close()
            return _send_part(headers, wanted, size, part)
    return Answer(200, headers, _stream(reader, size), size)


def _send_part(headers: Headers, wanted: tuple[int, int], size: int, part: Part) -> Answer:
    start, stop = wanted
    if start >= stop:
        return Answer(416, [("Content-Range", f"bytes */{size}")])
    headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{size}"))
    return Answer(206, headers, _stream(part(start, stop - start), stop - start), stop - start)


def gives_beginning(answer: Answer) -> bool:
    """Return whether an answer gives an object from its first byte on: who goes on with one has been counted."""
    if answer.status == HTTPStatus.PARTIAL_CONTENT:
        return any(name == "Content-Range" and value.startswith("bytes 0-") for name, value in answer.headers)
    return answer.status == HTTPStatus.OK


def last_modified(changed: int, *, over: bool) -> str:
    """Return a date that stands for the content: a second earlier while the second of the change is not over.

    Dates count whole seconds. Whoever was told the true one could not see, by asking with it, what changes in the rest
    of that second.
    """
    return _date(changed if over else changed - 1)


def is_known(environ: Environ, etag: str, changed: int | None) -> bool:
    """Return whether the client says that it holds this already. An ETag tells more than a date, which None is not."""
    tags = environ.get("HTTP_IF_NONE_MATCH")
    if tags is not None:
        return parse_etags(tags).contains_weak(etag)
    since = parse_date(environ.get("HTTP_IF_MODIFIED_SINCE"))
    return since is not None and changed is not None and since.timestamp() >= changed


def _stream(reader: Reader, length: int) -> Iterable[bytes]:
    """Return what a reader gives, which is `length` bytes; it is closed at the end, or when nobody wants the rest."""
    if length > _PIECE:
        return _Stream(reader)
    with reader:
        return [reader.read()]


class _Stream:
    """Pieces of a large object. The WSGI server closes it, also where it took none (a generator would not notice)."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._reader.read(_PIECE):
            yield piece

    def close(self) -> None:
        self._reader.close()


def _range(environ: Environ, etag: str, changed: int, size: int) -> tuple[int, int] | None:
    """Return the bytes asked for, `start >= stop` where there are none, or None where the whole is to be sent."""
    asked = _RANGE.fullmatch(environ["HTTP_RANGE"])
    if asked is None or environ.get("HTTP_IF_RANGE", f'"{etag}"') not in {f'"{etag}"', _date(changed)}:
        return None  # nothing that we know, or the client holds a part of something else
    first, last = asked.groups()
    if not first:
        return (max(size - int(last), 0), size) if last else None
    if last and int(last) < int(first):
        return None
    return (int(first), min(int(last) + 1, size) if last else size)


@lru_cache(maxsize=4096)
def _date(seconds: int) -> str:
    return http_date(seconds)
