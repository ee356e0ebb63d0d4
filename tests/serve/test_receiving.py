"""Bodies under gunicorn are what gunicorn makes of them, in time, and the next request is found behind them."""

import contextlib
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any, Final

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.http import get_parser  # type: ignore[import-untyped]
from gunicorn.http.errors import ChunkMissingTerminator, ParseException  # type: ignore[import-untyped]

from chartrepo.serve.receiving import TimelyBody, make_timely, receive_in_time

LARGE: Final = bytes(range(256)) * 4096 * 5
NEXT: Final = b"GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED: Final = b"PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


def with_length(data: bytes, length: int | None = None) -> bytes:
    length = len(data) if length is None else length
    return b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (length, data)


def chunked(data: bytes, size: int) -> bytes:
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


class Connection:
    """Our end of a connection, as the worker reads from it."""

    def __init__(self, ours: socket.socket, theirs: socket.socket) -> None:
        self.theirs = theirs
        self.parser = get_parser(Config(), ours, ("127.0.0.1", 1))
        receive_in_time(self.parser)

    def request(self) -> Any:
        request = next(self.parser)
        make_timely(request)
        return request

    def send(self, *pieces: bytes, end: bool = False) -> threading.Thread:
        def send() -> None:
            with contextlib.suppress(OSError):
                for piece in pieces:
                    self.theirs.sendall(piece)
                if end:
                    self.theirs.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=send)
        thread.start()
        return thread


@pytest.fixture
def connection() -> Iterator[Connection]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Connection(ours, theirs)


def read(request: Any, size: int = 2**20) -> bytes:
    return b"".join(iter(lambda: request.body.read_within(size, 30), b""))


MESSAGES: Final = {
    "a length": with_length(LARGE),
    "nothing": with_length(b""),
    "large chunks": chunked(LARGE, 300_000),
    "small chunks": chunked(LARGE[:20_000], 7),
    "chunks of a byte": chunked(b"hello", 1),
    "no chunk": chunked(b"", 1),
}


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
@pytest.mark.parametrize("size", [100, 65_536, 2**20])
def test_a_body_arrives_whole_and_the_next_request_behind_it(connection: Connection, message: bytes, size: int) -> None:
    sender = connection.send(message + message + NEXT)
    bodies = [read(connection.request(), size) for _ in range(2)]
    assert bodies[0] == bodies[1]
    assert len(bodies[0]) in {len(LARGE), 20_000, 5, 0}
    assert LARGE.startswith(bodies[0]) or bodies[0] == b"hello"
    assert connection.request().path == "/next"
    sender.join()


@pytest.mark.parametrize(
    "message", [with_length(LARGE[:60_000]), chunked(LARGE[:60_000], 9000)], ids=["length", "chunked"]
)
@pytest.mark.parametrize("taken", [0, 1, 10_000, 59_999])
def test_what_is_not_read_of_a_body_is_passed_over(connection: Connection, message: bytes, taken: int) -> None:
    sender = connection.send(message + NEXT)
    request = connection.request()
    assert isinstance(request.body, TimelyBody)
    while taken > 0:
        taken -= len(request.body.read_within(taken, 30))
    assert connection.request().path == "/next"
    sender.join()


@pytest.mark.parametrize(
    "rest",
    [
        b"5\r\nhello\r\n0\r\n\r\n",
        b"05\r\nhello\r\n00\r\n\r\n",
        b"5;name=value\r\nhello\r\n0\r\n\r\n",
        b'5 ; name="a;b"\r\nhello\r\n0;last\r\n\r\n',
        b"5\r\nhello\r\n0\r\nTrailer: value\r\nAnother: one\r\n\r\n",
        b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nTrailer: value\n\r\n",
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5_0\r\nhello\r\n0\r\n\r\n",
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5;\r\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\n",
        b"5\r\nhello\r",
        b"5\r\nhel",
        b"5\r\n",
        b"5",
        b"fffffffff\r\nhello",
        b"5\r\nhello\r\n0\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100_000])
def test_chunks_are_what_gunicorn_makes_of_them(connection: Connection, rest: bytes, size: int) -> None:
    sent = CHUNKED + rest + NEXT
    sender = connection.send(*(sent[start : start + size] for start in range(0, len(sent), size)), end=True)

    def outcome(request: Any, read: Any) -> object:
        try:
            return b"".join(iter(read, b"")), request.trailers
        except ParseException:
            return "refused"  # for what is found first, and that depends on how much has come when it looks
        except Exception as error:  # noqa: BLE001 - any that is the same
            return type(error), str(error)

    own = next(get_parser(Config(), iter([sent]), ("127.0.0.1", 1)))
    ours = connection.request()
    assert outcome(ours, lambda: ours.body.read_within(4, 30)) == outcome(own, lambda: own.body.read(4))
    sender.join()


def test_nothing_is_looked_for_behind_a_body_that_failed(connection: Connection) -> None:
    sender = connection.send(CHUNKED + b"5\r\nhello???", NEXT)
    body = connection.request().body
    with pytest.raises(ChunkMissingTerminator):
        body.read_within(100, 30)
    with pytest.raises(StopIteration):
        connection.request()
    sender.join()


def test_one_that_ends_early_says_so_by_its_size(connection: Connection) -> None:
    connection.send(with_length(b"half", 8), end=True).join()
    assert read(connection.request()) == b"half"


@pytest.mark.parametrize(
    "head", [with_length(b"", 9), CHUNKED, CHUNKED + b"5", CHUNKED + b"5\r\nhello", CHUNKED + b"0\r\n"]
)
def test_nobody_waits_for_longer_than_they_mean_to(connection: Connection, head: bytes) -> None:
    connection.send(head).join()
    body = connection.request().body
    with pytest.raises(TimeoutError):
        b"".join(iter(lambda: body.read_within(100, 0.05), b""))
    assert connection.parser.unreader.sock.gettimeout() is None


def test_a_drip_does_not_make_anybody_wait(connection: Connection) -> None:
    ended = threading.Event()

    def drip() -> None:
        with contextlib.suppress(OSError):
            while not ended.wait(0.01):
                connection.theirs.sendall(b"1")

    connection.send(CHUNKED).join()
    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        with pytest.raises(TimeoutError):
            connection.request().body.read_within(100, 0.2)
    finally:
        ended.set()
        dripping.join()


@pytest.mark.parametrize("message", [with_length(LARGE * 4), chunked(LARGE * 4, 32 * 1024)], ids=["length", "chunked"])
def test_it_takes_no_more_memory_the_longer_it_is(connection: Connection, message: bytes) -> None:
    sender = connection.send(message)
    request = connection.request()
    tracemalloc.start()
    try:
        while request.body.read_within(2**20, 30):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * 2**20
    sender.join()


def test_what_is_made_in_another_way_is_left_as_it_is() -> None:
    parser = get_parser(Config(), iter([with_length(b"hello")]), ("127.0.0.1", 1))
    before = parser.unreader
    receive_in_time(parser)
    receive_in_time(object())
    request = next(parser)
    make_timely(request)
    assert parser.unreader is before
    assert not isinstance(request.body, TimelyBody)
    assert request.body.read() == b"hello"
