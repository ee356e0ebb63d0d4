"""A proxy before an S3 store that counts the requests it hands on."""

import http.client
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

_TIMEOUT: Final = 60
_NOT_HANDED_ON: Final = frozenset({"connection", "content-length", "expect", "transfer-encoding"})


class CountingProxy:
    """Runs for the time of a `with` block.

    Attributes:
        url: to be used in place of the store's.
        counts: how many requests of each kind passed: `PUT package`, `PUT other`, `LIST`, `GET`, `HEAD`, ...
    """

    def __init__(self, store_url: str) -> None:
        self.counts: Counter[str] = Counter()
        self._server = _ProxyServer(urlsplit(store_url).netloc, self.counts)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Begin to hand on."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _ProxyServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, store: str, counts: Counter[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store = store
        self._counts = counts
        self._lock = threading.Lock()

    def count(self, kind: str) -> None:
        with self._lock:
            self._counts[kind] += 1


class _Handler(BaseHTTPRequestHandler):
    """Hands a request on with its Host header as it came, because the signature covers it."""

    protocol_version = "HTTP/1.1"
    server: _ProxyServer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        """Stay quiet."""

    def _hand_on(self) -> None:
        self.server.count(_kind(self.command, self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(self.server.store, timeout=_TIMEOUT)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _NOT_HANDED_ON:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", f"{len(body)}")
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _NOT_HANDED_ON:
                self.send_header(name, value)
        is_head = self.command == "HEAD"
        self.send_header("Content-Length", answer.getheader("Content-Length", "0") if is_head else f"{len(content)}")
        try:
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:
            self.close_connection = True  # a server that is told to stop does not wait for what it asked

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _hand_on  # noqa: N815 - the base class's names for them


def _kind(method: str, target: str) -> str:
    """What a request to the store is, in the words of the report. A bucket is one path segment, a key is more."""
    parts = urlsplit(target)
    if method == "GET" and "/" not in parts.path.strip("/"):
        return "LIST" if "list-type" in parse_qs(parts.query) else "GET bucket"
    if method == "PUT":
        return "PUT package" if parts.path.endswith(".tgz") else "PUT other"
    return method
