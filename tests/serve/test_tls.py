"""An encrypted connection has the manners of a plain one, whatever OpenSSL makes of it."""

import random
import selectors
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from chartrepo.access import watch_certificate
from chartrepo.serve import tls
from chartrepo.serve.tls import TlsSocket, encrypted, holds_more
from tests.support.certificates import Authority

LARGE = 2 * 2**20
"""More than what the system holds for a client that takes nothing."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("made"))


@pytest.fixture
def fresh(made: Authority) -> Iterator[tuple[TlsSocket, socket.socket]]:
    """Our end, before its handshake, and the plain other one."""
    watched = watch_certificate(made.server.cert, made.server.key)
    ours, theirs = socket.socketpair()
    with closing(encrypted(ours, watched.value.context)) as server, closing(theirs):
        server.settimeout(0)
        theirs.settimeout(30)
        yield server, theirs


@pytest.fixture
def ends(fresh: tuple[TlsSocket, socket.socket], made: Authority) -> Iterator[tuple[TlsSocket, ssl.SSLSocket]]:
    """Both ends after the handshake; ours does not wait."""
    server, theirs = fresh
    context = made.context()
    with ThreadPoolExecutor(1) as pool, selectors.DefaultSelector() as selector:
        coming = pool.submit(context.wrap_socket, theirs, server_hostname="localhost")
        selector.register(server, selectors.EVENT_READ)
        while awaited := server.shake_hands():
            selector.modify(server, awaited)
            selector.select(30)
        client = coming.result()
    with closing(client):
        yield server, client


def taken(client: ssl.SSLSocket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (piece := client.recv(65536)):
        data += piece
    return bytes(data)


def send_what_goes(server: TlsSocket, head: bytes, body: bytes) -> int:
    """Send to a client that takes nothing, until no more goes; return how much went."""
    message, sent = memoryview(head + body), 0
    while True:
        rest = message[sent:]
        try:
            sent += server.sendmsg([rest[: len(head)], rest[len(head) :]])
        except BlockingIOError:
            return sent


def test_nothing_to_receive_is_told_as_a_plain_socket_tells_it(ends: tuple[TlsSocket, ssl.SSLSocket]) -> None:
    server, client = ends
    with pytest.raises(BlockingIOError):
        server.recv(10)
    with pytest.raises(BlockingIOError):
        server.recv_into(bytearray(10))
    client.close()
    assert server.recv(10) == b""


def test_waiting_ends_even_where_nobody_said_when(ends: tuple[TlsSocket, ssl.SSLSocket]) -> None:
    """OpenSSL would go on for ever: it takes the system's limit on a socket's silence for a reason to try again."""
    server, _ = ends
    for waiting in (lambda: server.settimeout(None), lambda: server.setblocking(True)):
        waiting()
        assert server.gettimeout() == 30


def test_what_was_decrypted_and_not_received_is_told(ends: tuple[TlsSocket, ssl.SSLSocket]) -> None:
    server, client = ends
    client.sendall(b"one record")
    server.settimeout(30)
    assert server.recv(3) == b"one"
    assert holds_more(server)
    assert server.recv(100) == b" record"
    assert not holds_more(server)


@pytest.mark.parametrize("again", [1, 7, 100_000], ids="in pieces of {}".format)
def test_what_did_not_go_goes_later_however_it_is_divided_then(
    ends: tuple[TlsSocket, ssl.SSLSocket], again: int
) -> None:
    """OpenSSL keeps a record that it could not send, and refuses to see a shorter one in its place."""
    server, client = ends
    head, body = b"headers" * 20, random.Random(1).randbytes(LARGE)
    message = head + body
    sent = send_what_goes(server, head, body)
    assert 0 < sent < len(message)
    server.settimeout(None)
    with ThreadPoolExecutor(1) as pool:
        came = pool.submit(taken, client, len(message))
        edge = sent + 40_000
        for start in range(sent, edge, again):
            server.sendall(message[start : min(start + again, edge)])
        server.sendall(message[edge:])
        assert came.result() == message


def test_short_pieces_go_as_one_record(ends: tuple[TlsSocket, ssl.SSLSocket]) -> None:
    server, client = ends
    assert server.sendmsg([b"HTTP/1.1 200 OK\r\n", b"\r\n", b"body"]) == 23
    assert client.recv(100) == b"HTTP/1.1 200 OK\r\n\r\nbody"


def test_sending_without_waiting_ends_even_where_a_client_takes_it_all(
    ends: tuple[TlsSocket, ssl.SSLSocket], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = ends
    monkeypatch.setattr(tls, "_AT_ONCE", 2**15)
    assert server.sendmsg([bytes(2**16)]) == 2**15
    assert taken(client, 2**15) == bytes(2**15)


def test_a_client_that_takes_nothing_counts_as_gone(ends: tuple[TlsSocket, ssl.SSLSocket]) -> None:
    server, _ = ends
    server.settimeout(0.01)
    with pytest.raises(BrokenPipeError):
        server.sendall(bytes(LARGE))


def test_the_end_is_said_without_waiting_and_then_heard(ends: tuple[TlsSocket, ssl.SSLSocket]) -> None:
    server, client = ends
    client.sendall(b"not received by anybody")
    server.settimeout(None)
    server.shutdown(socket.SHUT_WR)
    client.suppress_ragged_eofs = False  # an end that is not said would raise
    assert client.recv(100) == b""
    client.close()
    server.settimeout(30)
    while server.recv(65536):
        pass


def test_a_connection_that_is_closed_says_so(ends: tuple[TlsSocket, ssl.SSLSocket]) -> None:
    server, client = ends
    server.close()
    client.suppress_ragged_eofs = False
    assert client.recv(100) == b""


def test_where_no_more_is_received_answers_stay_encrypted(ends: tuple[TlsSocket, ssl.SSLSocket]) -> None:
    server, client = ends
    server.shutdown(socket.SHUT_RD)
    server.settimeout(30)
    assert server.recv(10) == b""
    server.sendall(b"too slow")
    assert client.recv(100) == b"too slow"


def test_what_breaks_tls_is_told_as_a_connection_that_broke(ends: tuple[TlsSocket, ssl.SSLSocket]) -> None:
    server, client = ends
    socket.socket.sendall(client, b"\x17\x03\x03\x00\x20" + bytes(32))
    server.settimeout(30)
    with pytest.raises(ConnectionResetError):
        server.recv(10)


def test_who_asks_in_plain_http_is_told_so(fresh: tuple[TlsSocket, socket.socket]) -> None:
    server, client = fresh
    client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with pytest.raises(ssl.SSLError):
        server.shake_hands()
    server.shutdown(socket.SHUT_WR)
    answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"https://" in answer


def test_a_handshake_that_stops_is_not_waited_for(fresh: tuple[TlsSocket, socket.socket]) -> None:
    server, client = fresh
    assert server.shake_hands() == selectors.EVENT_READ
    client.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
    assert server.shake_hands() == selectors.EVENT_READ
    client.close()
    with pytest.raises(OSError, match="EOF"):
        server.shake_hands()


def test_who_has_left_at_once_is_no_connection(made: Authority) -> None:
    watched = watch_certificate(made.server.cert, made.server.key)
    alone = socket.socket()
    with pytest.raises(OSError, match=r"."), closing(encrypted(alone, watched.value.context)) as server:
        server.shake_hands()
    assert alone.fileno() == -1
