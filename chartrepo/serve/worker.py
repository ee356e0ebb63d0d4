"""A gunicorn worker that answers at once what it has at hand.

gunicorn's threaded worker hands each request to a thread of its pool and takes the connection back afterwards. For an
answer that lies in memory the ways there and back cost more than the answer: threads take turns at Python's lock, and
each turn wakes one. So the thread that watches the connections, here called the loop, answers such requests itself, and
does so too while all threads of the pool wait for a storage that is silent. What would make it wait goes to the pool:
an answer that is not at hand, and what a client does not take at once. Connections without a whole request, and those
that are to end, stay with the loop and take no thread. Only where nobody waits for one does a thread keep a connection
for a moment: a client that pushes sends its next request as soon as it has its answer, and the ways to the loop and
back cost as much as a short request.

Encrypted connections begin with a handshake that the loop takes on step by step, in the time of the first request; then
they are connections like others: see `chartrepo.serve.tls`.

gunicorn parses the requests and writes the answers, as it does in the pool. How its worker keeps its connections is not
part of its public interface; pyproject.toml names the release that this was made for.
"""

import errno
import logging
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from selectors import EVENT_READ
from typing import TYPE_CHECKING, Any, Final

from gunicorn.http import wsgi  # type: ignore[import-untyped]
from gunicorn.util import unquote_to_wsgi_str  # type: ignore[import-untyped]
from gunicorn.workers.gthread import TConn, ThreadWorker  # type: ignore[import-untyped]

from chartrepo.access import Certificate
from chartrepo.http.front import AT_HAND
from chartrepo.http.kept import Kept
from chartrepo.serve.receiving import TimelyBody, make_timely, receive_in_time
from chartrepo.serve.tls import TlsSocket, encrypted, holds_more, told
from chartrepo.watched import Watched

if TYPE_CHECKING:
    from concurrent.futures import Future

log = logging.getLogger(__name__)

_MOST: Final = 64 * 1024
"""Bytes of a request's headers, and of what is taken from a connection at a time."""
_END_OF_HEADERS: Final = b"\r\n\r\n"
_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_REQUEST_SECONDS: Final = 30
"""How long a request may take until its headers are there, from the connection or from its first bytes."""
_NEXT_WITHIN_MS: Final = 2
"""How long a thread that has nothing else to do waits for the next request of the connection that it just answered."""
_REST_WITHIN: Final = 0.01
"""How long the rest of a body that nobody reads may take: it is here already, or the connection ends."""
_LINGER_SECONDS: Final = 2
"""How long a client may take to notice that its connection ends: closed at once, it might not see its answer."""
_ACCEPT_AGAIN_AFTER: Final = 1.0
_SHORT_OF: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class _Connection(TConn):  # type: ignore[misc]
    """A connection, what is spoken on it, and the queue of the loop in which it waits, if it does."""

    queue: "deque[_Connection] | None" = None
    scheme: str = "http"

    def init(self) -> None:
        super().init()
        receive_in_time(self.parser)
        if isinstance(self.sock, TlsSocket):
            self.scheme = "https"


class AtOnceWorker(ThreadWorker):  # type: ignore[misc]
    """A threaded worker whose loop answers what `Front.at_hand` gives it.

    Connections that the loop watches are in one of three queues, each in the order in which their time is over:
    `pending_conns` where a request is to come or has begun to, `keepalived_conns` between two requests, and
    `_lingering` until a client has noticed the end.

    Attributes:
        certificate: what new connections are encrypted with, as it is then; None where they are not.
    """

    certificate: Watched[Certificate] | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lingering: deque[_Connection] = deque()
        self._in_line: deque[_Connection] = deque()
        self._accept_again = 0.0

    # ---- coming

    def accept(self, listener: Any) -> None:
        """Take a new connection, and watch it until its first request is there."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in _SHORT_OF:
                log.warning("no connection can be taken for now: %s; raise the limit of open files", error.strerror)
            if error.errno not in {errno.EAGAIN, errno.ECONNABORTED}:  # the port may be closed already, too
                self._accept_again = time.monotonic() + _ACCEPT_AGAIN_AFTER
                self.set_accept_enabled(False)
            return
        if self.certificate is not None:
            try:
                client = encrypted(client, self.certificate.value.context)
            except OSError:  # who came has left
                return
        conn = _Connection(self.cfg, client, address, listener.getsockname())
        conn.init()
        self.nr_conns += 1
        look = self._on_hello if conn.scheme == "https" else self._on_bytes
        self._watch(conn, self.pending_conns, _REQUEST_SECONDS, look)

    def set_accept_enabled(self, enabled: bool) -> None:  # noqa: FBT001 - gunicorn's
        """Take new connections or not; not for a moment where the system gives none."""
        if not enabled or time.monotonic() >= self._accept_again:
            super().set_accept_enabled(enabled)

    # ---- in the loop

    def _watch(self, conn: _Connection, queue: deque[_Connection], seconds: float, look: Callable[..., None]) -> None:
        conn.sock.settimeout(0)
        conn.timeout = self._deadline(seconds)
        conn.queue = queue
        queue.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(look, conn))

    def _deadline(self, seconds: float) -> float:
        """Return when the time of a connection is over: soon where the worker is to end, whatever comes of it."""
        return time.monotonic() + (seconds if self.alive else min(seconds, _LINGER_SECONDS))

    def _unwatch(self, conn: _Connection) -> None:
        if conn.queue is not None:
            conn.queue.remove(conn)
            conn.queue = None
            self.poller.unregister(conn.sock)

    def _requeue(self, conn: _Connection, queue: deque[_Connection], seconds: float) -> None:
        """Give a connection that stays with the loop another time."""
        if conn.queue is not None:
            conn.queue.remove(conn)
        conn.queue = queue
        conn.timeout = self._deadline(seconds)
        queue.append(conn)

    def _on_hello(self, conn: _Connection, client: TlsSocket) -> None:
        """Take a handshake on. It has no time of its own: the first request has to be there in that of a connection."""
        try:
            awaited = client.shake_hands()
        except OSError as error:
            why = told(error)
            if why:
                log.info("no TLS with %s: %s", conn.client[0], why)
            self._linger(conn)  # so that the client sees why
            return
        self.poller.modify(client, awaited or EVENT_READ, partial(self._on_hello if awaited else self._on_bytes, conn))

    def _on_bytes(self, conn: _Connection, client: socket.socket) -> None:
        data = _received(client)
        if data:
            unreader = conn.parser.unreader
            unreader.unread(unreader.take_buffered() + data)
            self._answer_what_came(conn)
        elif data is not None:
            self._close(conn)

    def _answer_what_came(self, conn: _Connection) -> None:
        try:
            self._answer_whole_requests(conn)
        except Exception:
            log.exception("a connection failed in a way that nobody foresaw")
            self._close(conn)

    def _answer_whole_requests(self, conn: _Connection) -> None:
        """Answer the requests that are at hand; hand the connection to the pool for another one."""
        while arrived := conn.parser.unreader.buf.getvalue():
            if _END_OF_HEADERS not in arrived:
                self._wait_for_more(conn, len(arrived))
                return
            request = _next_request(conn, arrived)
            kept = self.wsgi.at_hand(_as_environ(request, conn.client)) if request is not None else None
            if kept is None:
                self._unwatch(conn)
                self.enqueue_req(conn)
                return
            out = _Out()
            stays = self._answer(request, conn, kept, out)
            rest = out.send_to(conn.sock)
            if rest:
                self._unwatch(conn)
                sent = self.tpool.submit(_send_all, conn.sock, rest, stays)
                sent.add_done_callback(partial(self.method_queue.defer, self.finish_request, conn))
                return
            if not stays:
                self._linger(conn)
                return
            self._requeue(conn, self.keepalived_conns, self.cfg.keepalive)

    def _wait_for_more(self, conn: _Connection, size: int) -> None:
        if size > _MOST:
            out = _Out()
            out.sendall(_TOO_LARGE)
            out.send_to(conn.sock)
            self._linger(conn)
        elif conn.queue is not self.pending_conns:
            self._requeue(conn, self.pending_conns, _REQUEST_SECONDS)

    def _answer(self, request: Any, conn: _Connection, kept: Kept, out: "_Out") -> bool:
        """Let gunicorn write the answer to `out`; return whether the connection stays open."""
        conn.parser = conn.parser.parser
        request.scheme = conn.scheme
        response, environ = wsgi.create(request, out, conn.client, conn.server, self.cfg)
        environ["wsgi.multithread"] = True
        environ[AT_HAND] = kept
        self.nr += 1
        if not (self.alive and self.cfg.keepalive) or len(self.keepalived_conns) > self.max_keepalived:
            response.force_close()
        for piece in self.wsgi(environ, response.start_response):
            response.write(piece)
        response.close()
        return not response.should_close()

    def enqueue_req(self, conn: _Connection) -> None:
        """Hand a connection to the pool."""
        self._in_line.append(conn)
        super().enqueue_req(conn)

    # ---- in the pool

    def handle(self, conn: _Connection) -> bool:
        """Answer requests of a connection as long as they follow each other closely; return whether it stays open."""
        self._in_line.popleft()  # whichever it is: they are counted, from several threads
        stays: bool = super().handle(conn)
        while stays and self._next_is_here(conn):
            stays = super().handle(conn)
        return stays

    def _next_is_here(self, conn: _Connection) -> bool:
        """Wait a moment for the next request, unless other connections wait; return whether its headers are here."""
        if not self.alive or self._in_line:
            return False
        unreader = conn.parser.unreader
        if not unreader.buf.getvalue():  # else a body was read on into it
            poll = select.poll()
            poll.register(conn.sock, select.POLLIN)
            if not holds_more(conn.sock) and not poll.poll(_NEXT_WITHIN_MS):
                return False
            conn.sock.settimeout(0)
            unreader.unread(_received(conn.sock) or b"")  # the loop finds an end by itself
        return _END_OF_HEADERS in unreader.buf.getvalue()

    def handle_request(self, req: Any, conn: _Connection) -> bool:
        """Answer a request, of which bodies have not been read."""
        make_timely(req)
        req.scheme = conn.scheme
        stays: bool = super().handle_request(req, conn)
        return stays

    def _keepalive_after(self, conn: _Connection, keepalive: bool) -> bool:  # noqa: FBT001 - gunicorn's
        """Return whether a connection stays open: not where the rest of a body is still to come.

        gunicorn would wait for it, with a thread, for as long as five seconds. What was to be read is read by `Front`.
        """
        body = getattr(conn.parser.mesg, "body", None)
        if keepalive and isinstance(body, TimelyBody) and not body.is_at_its_end:
            return bool(conn.parser.finish_body(deadline=time.monotonic() + _REST_WITHIN))
        stays: bool = super()._keepalive_after(conn, keepalive)
        return stays

    # ---- from the pool, and going

    def finish_request(self, conn: _Connection, done: "Future[bool]") -> None:
        """Take a connection back from the pool."""
        if done.cancelled() or done.exception() is not None:
            self._close(conn)
        elif not done.result():
            self._linger(conn)
        else:
            conn.parser = getattr(conn.parser, "parser", conn.parser)
            self._watch(conn, self.keepalived_conns, self.cfg.keepalive, self._on_bytes)
            if holds_more(conn.sock):
                self._on_bytes(conn, conn.sock)
            else:
                self._answer_what_came(conn)  # a body may have been read on into the next request

    def _linger(self, conn: _Connection) -> None:
        """End a connection, and let the client notice: see RFC 9112, section 9.6."""
        self._unwatch(conn)
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
        else:
            self._watch(conn, self._lingering, _LINGER_SECONDS, self._on_linger)

    def _on_linger(self, conn: _Connection, client: socket.socket) -> None:
        if _received(client) == b"":
            self._close(conn)

    def _close(self, conn: _Connection) -> None:
        self._unwatch(conn)
        self.nr_conns -= 1
        conn.close()

    def murder_keepalived(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 - gunicorn's
        """Close connections between two requests whose time is over, or all."""
        self._close_late(self.keepalived_conns, force=force)

    def murder_pending(self) -> None:
        """Close other connections of the loop whose time is over."""
        self._close_late(self.pending_conns)
        self._close_late(self._lingering)

    def _close_late(self, queue: deque[_Connection], *, force: bool = False) -> None:
        now = time.monotonic()
        while queue and (force or queue[0].timeout <= now):
            self._close(queue[0])

    def _cap_keepalive(self, deadline: float) -> None:
        """Let no connection without a whole request keep a worker that is to end."""
        for queue in (self.keepalived_conns, self.pending_conns):
            for conn in queue:
                conn.timeout = min(conn.timeout, deadline)


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


def _received(client: socket.socket) -> bytes | None:
    """Return what has arrived on a connection, nothing at its end, and None where it was woken for nothing."""
    try:
        return client.recv(_MOST)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _next_request(conn: _Connection, arrived: bytes) -> Any:
    """Return the request whose headers have arrived, or None where it is not one that only reads.

    The parser of the connection gives the same request once more afterwards, or fails once more.
    """
    if not arrived.startswith((b"GET ", b"HEAD ")):
        return None
    parser, request = conn.parser, None
    try:
        outcome = request = next(parser)
    except Exception as error:  # noqa: BLE001 - the pool deals with it
        outcome = error
    conn.parser = _Ahead(parser, outcome)
    return request


def _as_environ(request: Any, client: Any) -> dict[str, Any]:
    """Return what the request itself says, and whence it came, under the names that gunicorn has for it."""
    path = request.path
    environ = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote_to_wsgi_str(path) if "%" in path else path,
        "QUERY_STRING": request.query,
        "REMOTE_ADDR": client[0] if isinstance(client, tuple) else "",
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
