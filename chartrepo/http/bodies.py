"""Bodies of requests: bounded in size and time, and read to a bounded rest where the answer came early.

Both servers hand over a `wsgi.input` that ends by itself, with a Content-Length or chunked. Neither bounds the time a
read takes: gunicorn waits for all the bytes it was asked for however slowly they drip, granian even where none come.

So our gunicorn worker hands over one that is read until a moment (`Timely`). Where it cannot, reads are made on threads
of their own: the request's thread waits for as long as it means to, and then shuts the connection. granian shows no
connection, and a worker of it stops for good where reads outlive their requests. So there a read holds its request's
thread for as long as the client likes.

Under both a thread waits for each body, in the end for minutes. So at most half of the threads read bodies, and half of
the others wait for their turn to (`Places`): clients that stall can keep uploads waiting, and nothing else. Whoever
comes to neither is refused, and its connection ends without a thread: see `chartrepo.serve.worker`.
"""

import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from threading import Event, Lock
from typing import Any, BinaryIO, Final, Protocol, runtime_checkable

from chartrepo.core.errors import BodyTooLarge
from chartrepo.http.errors import BadRequest, BodyTooSlow, TooManyBodies

_PIECE: Final = 64 * 1024
_DRAINED_AT_MOST: Final = 64 * 2**20
"""Bytes that are read after an early refusal."""
_DRAINED_SECONDS: Final = 5.0
_TURN_WITHIN: Final = 30.0
"""Seconds that an upload waits for its turn: several large ones at once take that long, and proxies wait longer."""
_A_MOMENT: Final = 0.02
"""Seconds that it waits where enough others do, since it holds a thread: for a place that is about to be left."""
_ENDED_WITHIN: Final = 1.0
"""Seconds in which a read comes back whose connection was shut: it is a matter of microseconds."""


class Places:
    """The room of one process for bodies, first come, first served. Safe to share between threads.

    Args:
        threads: requests that the process answers at a time. Half of them may read bodies, and half of the others wait
            to, so that with three threads or more one is left.
    """

    def __init__(self, threads: int) -> None:
        self._lock = Lock()
        self._free = max(1, threads // 2)
        self._turns = (threads - self._free) // 2
        self._line: deque[Event] = deque()

    def take(self, *, wait: bool) -> bool:
        """Take a place; return whether there was one.

        Args:
            wait: for a turn, where there is none; next to no time where enough wait for theirs.
        """
        with self._lock:
            if self._free:  # then nobody is in line
                self._free -= 1
                return True
            if not wait:
                return False
            within = _TURN_WITHIN if len(self._line) < self._turns else _A_MOMENT
            turn = Event()
            self._line.append(turn)
        if turn.wait(within):
            return True
        with self._lock:
            if not turn.is_set():  # else it came in the last moment
                self._line.remove(turn)
            return turn.is_set()

    def leave(self) -> None:
        """Give a place to whoever waits longest."""
        with self._lock:
            if self._line:
                self._line.popleft().set()
            else:
                self._free += 1


class Place:
    """The right to read one body. `leave` is to be called at the request's end.

    Args:
        places: what it is taken from.

    Attributes:
        taken: whether it is held now.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self.taken = False

    def take(self, *, wait: bool = True) -> bool:
        """Take the place, where it is not taken yet; return whether that is so now.

        Args:
            wait: for a turn, where there is none.
        """
        self.taken = self.taken or self._places.take(wait=wait)
        return self.taken

    def leave(self) -> None:
        """Give the place to another."""
        if self.taken:
            self.taken = False
            self._places.leave()


class OnThisThread(Executor):
    """Runs reads on the thread that asks for them."""

    def submit(self, read: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        """Read, and return what came."""
        future: Future[Any] = Future()
        try:
            future.set_result(read(*arguments, **options))
        except (OSError, ValueError) as error:
            future.set_exception(error)
        return future


@runtime_checkable
class Timely(Protocol):
    """A `wsgi.input` that need not be waited for."""

    def read_within(self, size: int, seconds: float) -> bytes:
        """Return up to `size` bytes, nothing at the end.

        Raises:
            TimeoutError: they did not come in time.
        """
        ...


class _Malformed(ValueError):
    """The server cannot make sense of what the client sends."""


class Body:
    """The body of one request, in place of the server's `wsgi.input`.

    Args:
        source: the server's.
        readers: runs the reads, each for as long as it takes: on other threads, or `OnThisThread`.
        place: is taken at the first read, and left at the end of the body; None where there is always one.
        limit: bytes; one more is `BodyTooLarge`. None for as many as come.
        setting: the name of the setting that is the limit.
        announced: its Content-Length, where the client gave one.
        seconds: how long the whole may take, from now on, without the wait for its place.
        pace: bytes a second. Each byte that comes adds the time it takes at this pace, so that a large body may go on
            for as long as it keeps it. None where nothing adds to `seconds`.
        connection: what `source` reads from, where the server shows it. Its reading side is shut when time is up.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        source: BinaryIO,
        readers: Executor,
        *,
        place: Place | None = None,
        limit: int | None,
        setting: str = "max_upload_size",
        announced: int | None,
        seconds: float,
        pace: int | None = None,
        connection: socket.socket | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._readers = readers
        self._place = place or Place(Places(1))
        self._limit = limit
        self._setting = setting
        self._announced = announced
        self._clock = clock
        self._seconds = seconds
        self._pace = pace
        self._started = clock()
        self._connection = connection
        self._taken = 0
        self._ended = announced == 0
        self._reading: Future[bytes] | None = None
        self._read_within = source.read_within if isinstance(source, Timely) else self._read_elsewhere

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, all of them when negative.

        Raises:
            BodyTooLarge: it is, or says it is, larger than the limit.
            BodyTooSlow: it did not come in time.
            TooManyBodies: others are read, and its turn did not come in time.
            BadRequest: the client hung up before the end, or what it sends makes no sense.
        """
        self._check(self._announced or 0)
        if size < 0:
            return b"".join(iter(lambda: self._read_piece(_PIECE), b""))
        return self._read_piece(size)

    def _read_piece(self, size: int) -> bytes:
        if self._ended or size == 0:
            return b""
        self._begin()
        try:
            piece = self._take(size, self._deadline())
        except TimeoutError:
            self._give_up()
            raise self._too_slow() from None
        except _Malformed:
            self._give_up()
            raise BadRequest("the body is not in chunks as its Transfer-Encoding says: send it anew") from None
        except (OSError, ValueError):  # what both servers raise where chunks are cut off
            self._ended = True
            raise BadRequest("the body broke off") from None
        self._check(self._taken)
        if not piece and self._announced is not None and self._taken < self._announced:
            raise BadRequest(f"the body broke off after {self._taken} of {self._announced} bytes")
        return piece

    def _begin(self) -> None:
        """Take the place, where it is not taken yet. The wait for it is none of the client's time."""
        if self._place.taken:
            return
        asked = self._clock()
        if not self._place.take():
            raise TooManyBodies("too many uploads are under way: try again soon")
        self._started += self._clock() - asked

    def _take(self, size: int, deadline: float) -> bytes:
        """Read up to `size` bytes; `TimeoutError` where they do not come before `deadline`, or `_Malformed`."""
        left = deadline - self._clock()
        if left <= 0:
            raise TimeoutError
        if self._announced is not None:
            size = min(size, self._announced - self._taken)  # for which a server may make room
        try:
            piece = self._read_within(size, left)
        except (OSError, ValueError):
            raise
        except Exception as error:  # gunicorn's own, of which this module knows none
            raise _Malformed from error
        self._taken += len(piece)
        self._ended = not piece or (self._announced is not None and self._taken >= self._announced)
        if self._ended:
            self._place.leave()
        return piece

    def _read_elsewhere(self, size: int, seconds: float) -> bytes:
        self._reading = self._readers.submit(self._source.read, size)
        return self._reading.result(seconds)

    def _give_up(self) -> None:
        """Read no more, and let a read that is still waiting come to its end."""
        self._ended = True
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RD)
            if self._reading is not None:
                wait([self._reading], _ENDED_WITHIN)  # the server is about to use the same reader

    def _deadline(self) -> float:
        return self._started + self._seconds + (self._taken / self._pace if self._pace else 0)

    def _check(self, size: int) -> None:
        if self._limit is not None and size > self._limit:
            raise BodyTooLarge(f"the upload is larger than {self._limit} bytes: raise {self._setting} to allow it")

    def _too_slow(self) -> BodyTooSlow:
        late = f"the body did not arrive within {self._seconds:g} seconds"
        if self._pace:
            late = f"the body took {self._seconds:g} seconds longer than it does at {self._pace // 1024} KiB a second"
        return BodyTooSlow(f"{late}: raise upload_timeout to allow it")

    def drain(self) -> None:
        """Read what the client still sends, up to a bound; nothing where others are read, which would cost a thread."""
        if self._ended or not self._place.take(wait=False):
            return
        until = self._clock() + _DRAINED_SECONDS
        left = _DRAINED_AT_MOST
        try:
            while not self._ended and left > 0:
                left -= len(self._take(_PIECE, until))
        except (OSError, ValueError):  # TimeoutError is an OSError
            self._give_up()


def announced_length(environ: dict[str, Any]) -> int | None:
    """Return the Content-Length of a request, or None where there is none that makes sense."""
    text = environ.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdigit() else None


def has_body(environ: dict[str, Any]) -> bool:
    """Return whether a request brings a body."""
    return bool(announced_length(environ)) or "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
