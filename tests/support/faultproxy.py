"""An HTTP proxy on the loopback that loses, delays and cuts what passes, as networks do."""

import http.client
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

_OF_THE_CONNECTION: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect"})


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    Attributes:
        forward: it reaches the server.
        status: what the client is answered instead of the server's answer; 0 for that one.
        code: S3's error code in an answer of our own.
        path: only a request whose path and query hold this.
        keep: how many bytes of the answer's body pass before the connection breaks; None for all, -1 for no answer.
        silence: the connection stays open without an answer until the proxy is stopped.
        then: is called when the server has answered, before the client hears of it.
    """

    forward: bool = True
    status: int = 0
    code: str = ""
    path: str = ""
    keep: int | None = None
    silence: bool = False
    then: Callable[[], object] | None = None


LOST_ANSWER: Final = Fault(keep=-1)
LOST_REQUEST: Final = Fault(forward=False, keep=-1)
SILENCE: Final = Fault(silence=True)
SILENCE_UNHEARD: Final = Fault(forward=False, silence=True)
SLOW_DOWN: Final = Fault(forward=False, status=503, code="SlowDown")
BROKEN_AFTER_ALL: Final = Fault(status=500, code="InternalError")


def answer(status: int, code: str = "") -> Fault:
    """The proxy answers by itself, and the server never hears of it."""
    return Fault(forward=False, status=status, code=code)


def cut(keep: int) -> Fault:
    """The connection breaks after that many bytes of the answer's body."""
    return Fault(keep=keep)


class Request(NamedTuple):
    """A request as the client sent it, with the names of its headers in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]


class FaultProxy:
    """A proxy before one server.

    Attributes:
        url: where it answers.
        passed: each request that it was sent, in order.
    """

    def __init__(self, server_url: str, *, without: tuple[str, ...] = ()) -> None:
        """Stand before `server_url`, and keep from it the headers whose names begin with one of `without`."""
        self._faults: list[tuple[str, Fault]] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.passed: list[Request] = []
        handler = {"proxy": self, "upstream": urlsplit(server_url).netloc, "without": without}
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), handler))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def inject(self, method: str, *faults: Fault) -> None:
        """Let these happen to the next requests of a method, one each."""
        with self._lock:
            self._faults.extend((method, fault) for fault in faults)

    def reset(self) -> None:
        """Forget all requests and all faults that nothing happened of."""
        with self._lock:
            self._faults.clear()
            self.passed.clear()

    def methods(self) -> list[str]:
        """The methods of the requests so far."""
        return [request.method for request in self.passed]

    @contextmanager
    def running(self) -> Iterator["FaultProxy"]:
        """Serve in a thread meanwhile."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def _next(self, request: Request) -> Fault:
        with self._lock:
            self.passed.append(request)
            for number, (wanted, fault) in enumerate(self._faults):
                if wanted == request.method and fault.path in request.path:
                    del self._faults[number]
                    return fault
        return Fault()


class _Server(ThreadingHTTPServer):
    # A client may hold a connection open for as long as it likes.
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that gave up is what a test wanted.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: FaultProxy
    upstream: str
    without: tuple[str, ...]

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sent = {name.lower(): value for name, value in self.headers.items()}
        fault = self.proxy._next(Request(self.command, self.path, sent))
        answer = self._ask(body) if fault.forward else _Answer(0, [], b"")
        if fault.then is not None:
            fault.then()
        if fault.silence:
            self.proxy._stopped.wait()
        if fault.silence or fault.keep == -1:
            self.close_connection = True
            return
        if fault.status:
            content = f"<Error><Code>{fault.code}</Code><Message>injected</Message></Error>".encode()
            answer = _Answer(fault.status, [("Content-Type", "application/xml")], content)
        self._answer(answer, fault.keep)

    def _ask(self, body: bytes) -> "_Answer":
        connection = http.client.HTTPConnection(self.upstream, timeout=30)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                hidden = bool(self.without) and name.lower().startswith(self.without)
                if not hidden and name.lower() not in _OF_THE_CONNECTION - {"content-length"}:
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            reply = connection.getresponse()
            return _Answer(reply.status, reply.getheaders(), reply.read())
        finally:
            connection.close()

    def _answer(self, answer: "_Answer", keep: int | None) -> None:
        length = str(len(answer.content))
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() == "content-length":
                length = value  # that of an answer to HEAD is not the body's
            elif name.lower() not in _OF_THE_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content if keep is None else answer.content[:keep])
        if keep is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that is overridden
        """Keep quiet."""

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815 - names that http.server looks for


class _Answer(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    content: bytes
