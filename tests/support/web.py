"""A web server on the loopback that answers as a test says, and remembers what it was asked."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, NamedTuple

from tests.support.packages import package

DATA: Final = package()
FILE: Final = "app-1.0.0.tgz"


class Asked(NamedTuple):
    """A request that a server got; names of headers are in small letters."""

    path: str
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""


class Answer(NamedTuple):
    """What a server answers; it breaks the connection after `cut` bytes of the body."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None


class Web:
    """A web server on the loopback that answers as a test says.

    Attributes:
        answers: by path with query; a list gives its answers one after the other, and the last one for ever.
        asked: every request, in order.
        url: without a slash at the end.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer | list[Answer]] = {}
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def credentials(self) -> list[str | None]:
        return [asked.headers.get("authorization") for asked in self.asked]

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            return self.respond(asked)

    def respond(self, asked: Asked) -> Answer:
        """What there is to answer, one request after the other."""
        found = self.answers.get(asked.path, Answer(status=404))
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found

    def publish(self, *, path: str = "", url: str = FILE, data: bytes = DATA, **fields: object) -> None:
        """Answer with an index of one package, and with the package."""
        entry: dict[str, object] = {"name": "app", "version": "1.0.0", "urls": [url], "created": "2020-09-13T12:26:40Z"}
        entry |= {"digest": sha256(data).hexdigest(), **fields}
        index = {"apiVersion": "v1", "entries": {"app": [entry]}}
        self.answers[f"{path}/index.yaml"] = Answer(json.dumps(index).encode())
        self.answers[f"{path}/{FILE}"] = Answer(data)


def _handler(web: Web) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", 0)))
            answer = web.answer(Asked(self.path, headers, self.command, body))
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body[: answer.cut])
            if answer.cut is not None:
                self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = do  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def serving(web: Web) -> Iterator[None]:
    """Let it answer meanwhile."""
    thread = threading.Thread(target=web.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        web.server.shutdown()
        thread.join()
        web.server.server_close()


@contextmanager
def running() -> Iterator[Web]:
    """A server that answers 404 until it is told something else."""
    web = Web()
    with serving(web):
        yield web
