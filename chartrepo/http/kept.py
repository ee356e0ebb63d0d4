"""Answers that a process keeps, as long as the same request would be answered in the same way.

Machines ask for the same few things all day. An answer that bears `Answer.still` can tell for next to nothing, and
without waiting for anything, whether it is still the right one.
"""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Final, NamedTuple

from chartrepo.http.answers import Answer

Environ = dict[str, Any]
Key = str | tuple[str, str, Hashable, str]

_LARGEST: Final = 1024 * 1024
_AROUND: Final = 1024
"""Bytes of an answer besides its body, and of what it is asked for with, at a guess."""
_LONGEST_KEY: Final = 1024


class Shows(NamedTuple):
    """What an answer shows something of: a chart of a repository; with None, all charts, whatever they are called."""

    repository: str
    chart: str | None


class Kept(NamedTuple):
    """An answer, the route that gave it, and what a caller has to be one who may read; None for nothing."""

    route: str
    answer: Answer
    shows: Shows | None


class KeptAnswers:
    """The answers of this process. Safe to share between threads.

    Args:
        size: bytes of bodies to keep at most; what was kept for longest goes first.
        variant: what an answer depends on besides the address.
    """

    def __init__(self, size: int, variant: Callable[[Environ], Hashable]) -> None:
        self._size = size
        self._variant = variant
        self._kept: dict[Key, Kept] = {}
        self._used = 0
        self._lock = Lock()

    def get(self, path: str, environ: Environ, *, reader: str = "") -> Kept | None:
        """Return the answer to a plain request, where it is at hand and still right. Waits for nothing.

        Args:
            path: as it came.
            environ: of the request.
            reader: of an answer for some callers alone, see `keep`.
        """
        kept = None if reader else self._kept.get(path)
        kept = kept or self._kept.get(self._key(path, environ, reader))
        if kept is None or kept.answer.still is None or not kept.answer.still():
            return None
        return kept

    def keep(self, path: str, environ: Environ, kept: Kept, *, reader: str = "") -> None:
        """Keep what a request was answered with, if it can tell whether it still holds.

        Args:
            path: as it came.
            environ: of the request.
            kept: the answer; all get it who may read what it shows, or those alone who read the same.
            reader: the text that those have in common; empty where it is for all.
        """
        answer = kept.answer
        if answer.still is None or answer.length > _LARGEST or environ["REQUEST_METHOD"] != "GET":
            return
        if not is_plain(environ) or len(path) + len(environ.get("QUERY_STRING", "")) > _LONGEST_KEY:
            return
        key = path if answer.by_path else self._key(path, environ, reader)
        with self._lock:
            self._drop(key)
            self._kept[key] = kept
            self._used += answer.length + _AROUND
            while self._used > self._size:
                self._drop(next(iter(self._kept)))

    def _key(self, path: str, environ: Environ, reader: str) -> Key:
        return path, environ.get("QUERY_STRING", ""), self._variant(environ), reader

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._used -= kept.answer.length + _AROUND


def is_plain(environ: Environ) -> bool:
    """Return whether a request only reads, sets no condition, and brings no body; an empty header is none."""
    get = environ.get
    return environ["REQUEST_METHOD"] in {"GET", "HEAD"} and not (
        get("CONTENT_LENGTH")
        or get("HTTP_IF_NONE_MATCH")
        or get("HTTP_IF_MODIFIED_SINCE")
        or get("HTTP_RANGE")
        or get("HTTP_TRANSFER_ENCODING")
    )
