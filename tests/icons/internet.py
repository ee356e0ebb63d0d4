"""A small internet on the loopback, in which names lead where a test says, and public is what it says."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from chartrepo.icons import PublicWeb
from chartrepo.icons.public_web import Endpoint

Say = Callable[[socket.socket, str], None]
"""Answers a request, of which the first line is given."""


def answer(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class Internet:
    """Hosts by their addresses, names that lead to them, and what was asked.

    Attributes:
        names: the addresses of each name, one list for each time that it is looked up; the last one stays.
        public: addresses that are of the public internet.
        pages: what is answered, by address and path.
        asked: each request, as `address path`.
        looked_up: each name that was.
    """

    port: int
    names: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    public: set[str] = field(default_factory=lambda: {"203.0.113.1", "203.0.113.2"})
    pages: dict[str, bytes | Say] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    def look_up(self, host: str, port: int) -> list[Endpoint]:
        self.looked_up.append(host)
        answers = self.names.get(host)
        if answers is None:
            raise socket.gaierror("no such name")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [Endpoint(address, port) for address in addresses]

    def web(self, *, seconds: float = 5.0, tls: ssl.SSLContext | None = None) -> PublicWeb:
        """What fetches from it. Its connections end here, and are still told by the address that they were for."""
        internet = self

        class Local(PublicWeb):
            def _connect_to(self, endpoint: Endpoint, scheme: str, host: str, until: float) -> socket.socket:
                local = Endpoint("127.0.0.1", internet.port)
                connected = super()._connect_to(local, scheme, host, until)
                internet.at[connected.getsockname()[1]] = endpoint.address
                return connected

        return Local(look_up=self.look_up, is_public=self.public.__contains__, seconds=seconds, tls=tls)

    at: dict[int, str] = field(default_factory=dict)

    def serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if self.tls is None:
                self._answer(client)
            else:
                with self.tls.wrap_socket(client, server_side=True) as encrypted:
                    self._answer(encrypted)

    def _answer(self, client: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            piece = client.recv(4096)
            if not piece:
                return
            request += piece
        self.heads.append(request.decode("latin-1"))
        line = request.decode("latin-1").split("\r\n")[0]
        address = self.at.get(client.getpeername()[1], "?")
        self.asked.append(f"{address} {line.split()[1]}")
        found = self.pages.get(f"{address} {line.split()[1]}", answer(b"nothing", "404 Not Found"))
        if callable(found):
            found(client, line)
        else:
            client.sendall(found)


@contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[Internet]:
    """One that runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        internet = Internet(listener.getsockname()[1], tls=tls)
        stopped = threading.Event()

        def take() -> None:
            while not stopped.is_set():
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                time.sleep(0.01)  # until it is noted for which address it is
                threading.Thread(target=internet.serve, args=(client,), daemon=True).start()

        threading.Thread(target=take, daemon=True).start()
        try:
            yield internet
        finally:
            stopped.set()
            listener.shutdown(socket.SHUT_RDWR)
