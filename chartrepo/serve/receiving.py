"""Bodies under gunicorn, received in large pieces and until a moment.

gunicorn's own readers wait for all the bytes they were asked for, however slowly they drip, and copy each several times
on its way. Here every wait of theirs can end, and a body with a Content-Length goes from the socket into one buffer.
What is received is taken off what gunicorn's reader expects, since gunicorn finds the next request by it.

None of this is part of gunicorn's public interface; pyproject.toml names the release that this was made for. A
connection or a body that is made in another way is left as it is.
"""

import re
import time
from typing import Any, Final

from gunicorn.http.body import Body, ChunkedReader, LengthReader  # type: ignore[import-untyped]
from gunicorn.http.errors import ChunkMissingTerminator, NoMoreData  # type: ignore[import-untyped]
from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]

_AT_A_TIME: Final = 64 * 1024
"""Bytes that gunicorn receives where it does not say how many are to come."""
_CHUNKS_AT_A_TIME: Final = 256 * 1024
_PLAIN_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_END: Final = b"\r\n"
"""What stands behind each chunk."""


class _Receiver(SocketUnreader):  # type: ignore[misc]
    """What all that gunicorn reads from a connection passes.

    Attributes:
        until: the moment, of the monotonic clock, after which it raises `TimeoutError`; None where it waits.
    """

    def __init__(self, connection: Any) -> None:
        super().__init__(connection, _AT_A_TIME)
        self.until: float | None = None

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Receive some bytes, as gunicorn has it."""
        self._bound()
        data: bytes = super().chunk(size_hint)
        return data

    def receive_into(self, buffer: memoryview) -> int:
        """Receive some bytes past what gunicorn holds; return how many, 0 at the end."""
        self._bound()
        count: int = self.sock.recv_into(buffer)
        return count

    def _bound(self) -> None:
        if self.until is not None:
            left = self.until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.sock.settimeout(left)


class _Counted(LengthReader):  # type: ignore[misc]
    """Reads a body that has a Content-Length, in `length` what is left of it."""

    @property
    def is_at_its_end(self) -> bool:
        """Whether all of it was read."""
        return not self.length

    def fill(self, buffer: memoryview) -> int:
        """Fill a buffer, as far as the body goes; return how many bytes there are in it."""
        held = self.unreader.buf.getbuffer().nbytes
        if held:
            data = self.read(min(len(buffer), held))
            buffer[: len(data)] = data
            return len(data)
        buffer, count = buffer[: self.length], 0
        while count < len(buffer) and (more := self.unreader.receive_into(buffer[count:])):
            count += more
        self.length -= count
        return count


class _Chunks(ChunkedReader):  # type: ignore[misc]
    """Reads a body in chunks; it takes apart what it receives many chunks at a time.

    The plain size of a chunk is read here; whatever else may stand there, and the end with its trailers, by gunicorn.
    """

    def __init__(self, request: Any, receiver: _Receiver) -> None:
        super().__init__(request, receiver)
        self._receiver = receiver
        self._buffer = memoryview(bytearray(_CHUNKS_AT_A_TIME))
        self._data = memoryview(b"")
        self._left: int | None = None
        self._ended = False

    @property
    def is_at_its_end(self) -> bool:
        """Whether all of it was read, with what stands behind it."""
        return self._ended

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, as gunicorn has it."""
        buffer = memoryview(bytearray(size))
        return bytes(buffer[: self.fill(buffer)])

    def fill(self, buffer: memoryview) -> int:
        """Fill a buffer, as far as the body goes; return how many bytes there are in it."""
        count = 0
        while count < len(buffer) and not self._ended:
            if not self._left:
                self._begin_chunk()
                continue
            if not self._data:
                self._data = self._receive()
            part = self._data[: min(self._left, len(buffer) - count)]
            buffer[count : count + len(part)] = part
            self._data = self._data[len(part) :]
            self._left -= len(part)
            count += len(part)
        return count

    def _receive(self) -> memoryview:
        held = self._receiver.take_buffered()
        if held:
            return memoryview(held)
        count = self._receiver.receive_into(self._buffer)
        if not count:
            raise NoMoreData
        return self._buffer[:count]

    def _begin_chunk(self) -> None:
        if self._left is not None:
            self._end_chunk()
        plain = _PLAIN_SIZE.match(self._data)
        size = int(plain[1], 16) if plain else 0
        if plain and size:
            self._left, self._data = size, self._data[plain.end() :]
            return
        self._left, rest = self.parse_chunk_size(self._receiver, bytes(self._data))
        self._data = memoryview(rest or b"")
        self._ended = not self._left

    def _end_chunk(self) -> None:
        while len(self._data) < len(_END) and (more := self._receiver.read()):
            self._data = memoryview(bytes(self._data) + more)
        end, self._data = bytes(self._data[: len(_END)]), self._data[len(_END) :]
        if end != _END:
            raise ChunkMissingTerminator(end)


class TimelyBody(Body):  # type: ignore[misc]
    """The body of one request, which need not be waited for.

    Args:
        reader: what it is read by.
        receiver: what that reads from.
    """

    def __init__(self, reader: _Counted | _Chunks, receiver: _Receiver) -> None:
        super().__init__(reader)
        self._receiver = receiver
        self._buffer = memoryview(b"")

    @property
    def is_at_its_end(self) -> bool:
        """Whether nothing of it is left on the connection."""
        ended: bool = self.reader.is_at_its_end
        return ended

    def read_within(self, size: int, seconds: float) -> bytes:
        """Return `size` bytes, or fewer where the body ends or some are at hand already; nothing at the end.

        Raises:
            TimeoutError: they did not come in `seconds`.
            Exception: of gunicorn's, where chunks make no sense or break off.
        """
        if len(self._buffer) < size:
            self._buffer = memoryview(bytearray(size))
        self._receiver.until = time.monotonic() + seconds
        try:
            count = self.reader.fill(self._buffer[:size])
        except Exception:
            self.failed = True  # so that no request is looked for behind it
            raise
        finally:
            self._receiver.until = None
            self._receiver.sock.settimeout(None)
        return bytes(self._buffer[:count])


def receive_in_time(parser: Any) -> None:
    """Let the waits of a connection's parser end, before its first request."""
    if type(getattr(parser, "unreader", None)) is SocketUnreader:
        parser.unreader = _Receiver(parser.unreader.sock)


def make_timely(request: Any) -> None:
    """Give a request, before it is answered, a body that need not be waited for."""
    body, receiver = request.body, getattr(request, "unreader", None)
    if type(receiver) is not _Receiver or type(body) is not Body:
        return
    if type(body.reader) is LengthReader:
        request.body = TimelyBody(_Counted(receiver, body.reader.length), receiver)
    elif type(body.reader) is ChunkedReader:
        request.body = TimelyBody(_Chunks(request, receiver), receiver)
