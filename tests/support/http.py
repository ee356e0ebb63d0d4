"""A small HTTP client for tests: every answer is a value, none is an exception."""

import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

_SECONDS = 60


@dataclass(frozen=True)
class Got:
    """An answer."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def error(self) -> str:
        """What the answer says went wrong."""
        return str(self.json["error"])


def call(
    method: str,
    url: str,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    seconds: float = _SECONDS,
) -> Got:
    """Send a request and read the whole answer.

    Raises:
        OSError: no answer came, or not all of it.
    """
    request = urllib.request.Request(url, data=data, headers=dict(headers or {}), method=method)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return Got(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return Got(refusal.code, refusal.headers, refusal.read())


def get(url: str, **headers: str) -> Got:
    """GET; a header's underscores stand for dashes."""
    return call("GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()})


def publish(base: str, data: bytes, repository: str = "", *, force: bool = False) -> Got:
    """Upload a package as `curl --data-binary` does."""
    path = f"/api/{repository}/charts" if repository else "/api/charts"
    return call("POST", f"{base}{path}{'?force' if force else ''}", data, {"Content-Type": "application/octet-stream"})


def answers(connection: socket.socket, count: int) -> list[tuple[int, bytes]]:
    """Status and body of the next answers on a connection, whatever arrives together."""
    with connection.makefile("rb") as file:
        found = []
        for _ in range(count):
            status = int(file.readline().split()[1])
            headers = http.client.parse_headers(file)
            found.append((status, file.read(int(headers["Content-Length"]))))
        return found
