"""The client side of a registry: blobs and manifests pushed as clients do, and large bodies at a socket's speed."""

import hashlib
import http.client
import json
import re
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from benchmarks.load import LoadFailedError

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"

_TIMEOUT: Final = 600
_PIECE: Final = 1 << 20
_CREATED: Final = 201
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


class Answer(NamedTuple):
    """What a request got."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class LargeFile:
    """A file that is sent as a blob."""

    path: Path
    digest: str
    size: int

    @classmethod
    def make(cls, path: Path, size: int) -> "LargeFile":
        """Write a file of pieces that differ, and take its digest."""
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for number in range(0, size, _PIECE):
                piece = hashlib.shake_128(number.to_bytes(8, "big")).digest(min(_PIECE, size - number))
                digest.update(piece)
                file.write(piece)
        return cls(path, f"sha256:{digest.hexdigest()}", size)


class RegistryClient:
    """One kept-alive connection to a registry, for one OCI repository. Not safe to share between threads."""

    def __init__(self, url: str, name: str) -> None:
        self._host = urlsplit(url).netloc
        self._name = name
        self._connection = http.client.HTTPConnection(self._host, timeout=_TIMEOUT)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request to a path below the OCI repository, or to a whole address."""
        target = self._target(path)
        self._connection.request(method, target, body, {"Content-Length": str(len(body)), **(headers or {})})
        answer = self._connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())

    def push_blob(self, data: bytes) -> str:
        """Send a small blob; return its digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        answer = self.request("PUT", _with_digest(self._begin(), digest), data)
        _check(answer.status, f"PUT of a blob: {answer.body[:200]!r}")
        return digest

    def push_manifest(self, tag: str, document: object) -> None:
        """Send a manifest under a tag."""
        data = json.dumps(document).encode()
        answer = self.request("PUT", f"manifests/{tag}", data, {"Content-Type": MANIFEST})
        _check(answer.status, f"PUT of a manifest: {answer.body[:200]!r}")

    def put_large(self, file: LargeFile) -> float:
        """Send a blob by one PUT; return how many seconds that took."""
        where = self._begin()
        begun = time.perf_counter()
        self._send("PUT", _with_digest(where, file.digest), file)
        return time.perf_counter() - begun

    def patch_large(self, file: LargeFile) -> float:
        """Send a blob by one PATCH and a PUT that ends it; return how many seconds that took."""
        where = self._begin()
        begun = time.perf_counter()
        where = self._send("PATCH", where, file)
        answer = self.request("PUT", _with_digest(where, file.digest))
        _check(answer.status, f"PUT that ends an upload: {answer.body[:200]!r}")
        return time.perf_counter() - begun

    def get_large(self, file: LargeFile) -> float:
        """Receive a blob; return how many seconds that took. Its bytes are counted and not looked at."""
        path = self._target(f"blobs/{file.digest}")
        begun = time.perf_counter()
        with closing(self._connected()) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\nConnection: close\r\n\r\n".encode())
            received = _receive(connection)
        if received != file.size:
            raise LoadFailedError(f"GET of a blob of {file.size} bytes gave {received}")
        return time.perf_counter() - begun

    def _begin(self) -> str:
        answer = self.request("POST", "blobs/uploads/")
        if "location" not in answer.headers:
            raise LoadFailedError(f"POST for an upload: {answer.status} {answer.body[:200]!r}")
        return answer.headers["location"]

    def _send(self, method: str, where: str, file: LargeFile) -> str:
        """Send a file over a connection of its own, without reading it into this process; where it goes on."""
        head = (
            f"{method} {self._target(where)} HTTP/1.1\r\nHost: {self._host}\r\nConnection: close\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {file.size}\r\n\r\n"
        )
        with closing(self._connected()) as connection, file.path.open("rb") as source:
            connection.sendall(head.encode())
            connection.sendfile(source)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            if answer.status not in {201, 202}:
                raise LoadFailedError(f"{method} of a large blob: {answer.status} {answer.read(200)!r}")
            return answer.getheader("Location") or ""

    def _connected(self) -> socket.socket:
        host, _, port = self._host.partition(":")
        return socket.create_connection((host, int(port)), _TIMEOUT)

    def _target(self, path: str) -> str:
        if path.startswith("http"):
            split = urlsplit(path)
            return f"{split.path}?{split.query}" if split.query else split.path
        return path if path.startswith("/") else f"/v2/{self._name}/{path}"


def _with_digest(where: str, digest: str) -> str:
    return f"{where}{'&' if '?' in where else '?'}digest={digest}"


def _check(status: int, what: str) -> None:
    if status != _CREATED:
        raise LoadFailedError(f"{what} was answered with {status}")


def _receive(connection: socket.socket) -> int:
    """Return how many bytes of a body came."""
    space = bytearray(_PIECE)
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            raise LoadFailedError(f"the connection ended after {head[:200]!r}")
        head += piece
    begin, _, rest = head.partition(b"\r\n\r\n")
    length = _LENGTH.search(begin)
    if not begin.startswith(b"HTTP/1.1 200") or length is None:
        raise LoadFailedError(f"GET of a blob was answered with {begin[:200]!r}")
    received = len(rest)
    while received < int(length[1]) and (count := connection.recv_into(space)):
        received += count
    return received
