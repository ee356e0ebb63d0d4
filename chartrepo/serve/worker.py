"""A gunicorn worker that answers at once what it has at hand.

gunicorn's threaded worker hands each request to a thread of its pool and takes the connection back afterwards. For an
answer that lies in memory the ways there and back cost more than the answer: threads take turns at Python's lock, and
each turn wakes one. So the thread that watches the connections answers such requests itself, and does so too while all
threads of the pool wait for a storage that is silent. It never waits for anything: an answer that is not at hand, and
what the client does not take at once, go to the pool. Nor does a thread of the pool wait for the headers of a request.

gunicorn parses the requests and writes the answers, as it does in the pool. How its worker keeps its connections is not
part of its public interface; pyproject.toml names the release that this was made for.
"""

import logging
import socket
import time
from collections.abc import Iterator
from functools import partial
from selectors import EVENT_READ
from typing import Any, Final

from gunicorn.http import wsgi  # type: ignore[import-untyped]
from gunicorn.util import unquote_to_wsgi_str  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from chartrepo.http.front import AT_HAND
from chartrepo.http.kept import Kept

log = logging.getLogger(__name__)

_MOST: Final = 64 * 1024
"""Bytes that are taken from a connection at a time; requests without a body are shorter."""
_FIRST_REQUEST_SECONDS: Final = 5
"""What a new connection has at least for its request, however short idle ones are kept."""
_END_OF_HEADERS: Final = b"\r\n\r\n"


class AtOnceWorker(ThreadWorker):  # type: ignore[misc]
    """A threaded worker whose main thread answers what `Front.at_hand` gives it."""

    def accept(self, listener: Any) -> None:
        """Take a new connection, and watch it like one that was kept alive: no thread waits for its first request."""
        try:
            client, address = listener.accept()
        except OSError:
            return  # another worker was quicker, the client is gone, or the port was closed
        conn = TConn(self.cfg, client, address, listener.getsockname())
        conn.init()
        client.settimeout(0)
        conn.timeout = time.monotonic() + max(self.cfg.keepalive, _FIRST_REQUEST_SECONDS)
        self.nr_conns += 1
        self.keepalived_conns.append(conn)
        self.poller.register(client, EVENT_READ, partial(self.on_client_socket_readable, conn))

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Answer the next request of a connection, or hand the connection to the pool, or wait for more of it."""
        try:
            if not _receive(conn, client):
                return
            request = _next_request(conn)
            kept = self.wsgi.at_hand(_as_environ(request)) if request is not None else None
            if kept is None:
                super().on_client_socket_readable(conn, client)
                return
            conn.parser = conn.parser.parser
            out = _Out()
            stays = self._answer(request, conn, kept, out)
        except Exception:
            log.exception("a connection failed in a way that nobody foresaw")
            self._give_up(conn)
            return
        self._send(conn, out, stays=stays)

    def _answer(self, request: Any, conn: TConn, kept: Kept, out: "_Out") -> bool:
        """Let gunicorn write the answer to `out`; return whether the connection stays open."""
        response, environ = wsgi.create(request, out, conn.client, conn.server, self.cfg)
        environ["wsgi.multithread"] = True
        environ[AT_HAND] = kept
        self.nr += 1
        if not (self.alive and self.cfg.keepalive) or len(self.keepalived_conns) >= self.max_keepalived:
            response.force_close()
        for piece in self.wsgi(environ, response.start_response):
            response.write(piece)
        response.close()
        return not response.should_close()

    def _send(self, conn: TConn, out: "_Out", *, stays: bool) -> None:
        """Send what the client takes at once, and have the pool send the rest."""
        rest = out.send_to(conn.sock)
        self.keepalived_conns.remove(conn)
        if stays and not rest and not conn.parser.unreader.buf.getvalue():
            # As gunicorn takes back a connection from the pool, but for the poller, which this one did not leave.
            conn.set_timeout()
            self.keepalived_conns.append(conn)
            return
        self.poller.unregister(conn.sock)
        sent = self.tpool.submit(_send_all, conn.sock, rest, stays)
        sent.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, conn, future))

    def _give_up(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        self.keepalived_conns.remove(conn)
        self.nr_conns -= 1
        conn.close()


class _Ahead:
    """gunicorn's parser of a connection, of which one step was taken already, whatever came of it."""

    def __init__(self, parser: Any, outcome: Any) -> None:
        self.parser = parser
        self._outcome = outcome

    def __next__(self) -> Any:
        outcome, self._outcome = self._outcome, None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome or next(self.parser)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.parser, name)


class _Out:
    """Takes what gunicorn writes to a socket."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self._pieces.append(data)

    send = sendall

    def send_to(self, client: socket.socket) -> list[memoryview]:
        """Send it to a socket that does not block, as far as that goes; return the rest."""
        try:
            sent = client.sendmsg(self._pieces)
        except OSError:  # it takes nothing now, or it is broken, which the pool finds out
            sent = 0
        rest: list[memoryview] = []
        for piece in self._pieces:
            if sent < len(piece):
                rest.append(memoryview(piece)[sent:])
            sent = max(sent - len(piece), 0)
        return rest


def _receive(conn: TConn, client: socket.socket) -> bool:
    """Take what has arrived on a connection; return whether it is time to look at it, and not to wait for more.

    What arrives later than the connection's time-out is not waited for.
    """
    if isinstance(conn.parser, _Ahead):
        conn.parser = conn.parser.parser
    unreader = conn.parser.unreader
    try:
        data = client.recv(_MOST)
    except OSError:
        return True  # the pool finds out
    arrived = unreader.take_buffered() + data
    unreader.unread(arrived)
    return not data or _END_OF_HEADERS in arrived or len(arrived) > _MOST


def _next_request(conn: TConn) -> Any:
    """Return the request that has arrived on a connection, or None where it is not one that only reads.

    The parser of the connection gives the same request once more afterwards, or fails once more.
    """
    arrived = conn.parser.unreader.buf.getvalue()
    if not arrived.startswith((b"GET ", b"HEAD ")) or _END_OF_HEADERS not in arrived:
        return None
    parser, request = conn.parser, None
    try:
        outcome = request = next(parser)
    except Exception as error:  # noqa: BLE001 - the pool deals with it
        outcome = error
    conn.parser = _Ahead(parser, outcome)
    return request


def _as_environ(request: Any) -> dict[str, Any]:
    """Return what the request itself says, under the names that gunicorn gives it in an environment."""
    path = request.path
    environ = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote_to_wsgi_str(path) if "%" in path else path,
        "QUERY_STRING": request.query,
    }
    for name, value in request.headers:
        key = "CONTENT_LENGTH" if name == "CONTENT-LENGTH" else f"HTTP_{name.replace('-', '_')}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _send_all(client: socket.socket, rest: list[memoryview], stays: bool) -> bool:  # noqa: FBT001 - by the pool
    client.settimeout(None)
    for piece in rest:
        client.sendall(piece)
    return stays
