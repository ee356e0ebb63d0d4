"""Requests whose end two programs could see in two places: nothing in them is ever taken for a request of its own."""

import re
import socket
from collections.abc import Iterator

import pytest

from tests.support.server import Server, running

BEHIND = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
END = b"0\r\n\r\n"
BOTH = b"Content-Length: %d\r\n" % len(END + BEHIND)
CHUNKED = b"Transfer-Encoding: chunked\r\n"

TWO_ENDS = {
    "length and chunks": (BOTH + CHUNKED, END),
    "chunks and length": (CHUNKED + BOTH, END),
    "an unknown encoding": (b"Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n", b""),
    "no encoding at all": (b"Transfer-Encoding: identity\r\nContent-Length: 0\r\n", b""),
    "a blank before the colon": (b"Transfer-Encoding : chunked\r\n" + BOTH, END),
    "a tab behind the colon": (b"Transfer-Encoding:\tchunked\r\n" + BOTH, END),
    "a control character": (b"Transfer-Encoding: \x0bchunked\r\n" + BOTH, END),
    "two encodings": (CHUNKED + b"Transfer-Encoding: identity\r\n" + BOTH, END),
    "a list of encodings": (b"Transfer-Encoding: identity, chunked\r\n" + BOTH, END),
    "two lengths": (b"Content-Length: 0\r\nContent-Length: %d\r\n" % len(BEHIND), b""),
    "a list of lengths": (b"Content-Length: 0, %d\r\n" % len(BEHIND), b""),
    "a length with a plus": (b"Content-Length: +0\r\n", b""),
    "a length below nothing": (b"Content-Length: -1\r\n", b""),
    "a length in hexadecimal": (b"Content-Length: 0x10\r\n", b""),
    "a length with an underscore": (b"Content-Length: 1_0\r\n", b""),
    "a folded length": (b"Content-Length: 0\r\n %d\r\n" % len(BEHIND), b""),
    "a line that ends in LF": (b"X: a\nTransfer-Encoding: chunked\r\n" + BOTH, END),
    "a line with a CR": (b"X: a\rTransfer-Encoding: chunked\r\n" + BOTH, END),
    "a NUL": (b"X: a\0b\r\nContent-Length: 0\r\n", b""),
    "a chunk whose extension ends in LF": (CHUNKED, b"0;a\nb\r\n\r\n"),
    "a chunk in 0x": (CHUNKED, b"0x0\r\n\r\n"),
    "a chunk with a plus": (CHUNKED, b"+0\r\n\r\n"),
    "a chunk that ends in LF": (CHUNKED, b"0\n\n"),
    "a chunk longer than it says": (CHUNKED, b"3\r\nabcdef\r\n0\r\n\r\n"),
}
ONE_END = {
    "a name that only looks like Content-Length": (b"Content_Length: 0\r\nContent-Length: %d\r\n" % len(BEHIND), b""),
    "a name that only looks like Transfer-Encoding": (b"Transfer_Encoding: chunked\r\n" + BOTH, END),
}


@pytest.fixture(scope="module", params=["gunicorn", "granian"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), "--open-writes", "--server", request.param) as server:
        yield server


def exchange(server: Server, *pieces: bytes) -> list[bytes]:
    """Send what asks for an end of the connection; return the statuses of all answers."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(b"".join(pieces))
        data = b""
        while piece := connection.recv(65536):
            data += piece
    return re.findall(rb"HTTP/1\.[01] (\d+) ", data)


def upload(headers: bytes, version: bytes = b"1.1") -> bytes:
    return b"POST /api/charts HTTP/%b\r\nHost: localhost\r\n%b\r\n" % (version, headers)


@pytest.mark.parametrize("how", TWO_ENDS)
def test_what_has_two_ends_is_refused_with_all_that_stands_behind(server: Server, how: str) -> None:
    headers, body = TWO_ENDS[how]
    assert exchange(server, upload(headers), body, BEHIND) in ([b"400"], [b"501"])


@pytest.mark.parametrize("how", ONE_END)
def test_headers_that_only_look_so_say_nothing_of_the_end(server: Server, how: str) -> None:
    headers, body = ONE_END[how]  # what stands behind is the body, which is no package
    assert exchange(server, upload(headers), body, BEHIND, LAST) == [b"400", b"200"]


def test_chunks_are_not_for_http_1_0(server: Server) -> None:
    assert exchange(server, upload(CHUNKED, b"1.0"), END, BEHIND) == [b"400"]


def test_the_body_of_a_read_is_no_request(server: Server) -> None:
    read = b"GET /api/charts HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(BEHIND)
    assert exchange(server, read, BEHIND, LAST) == [b"200", b"200"]
