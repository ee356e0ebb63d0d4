"""Clients under load: each publishes, overwrites and deletes on keys of its own, and notes every answer."""

import random
import threading
from collections.abc import Callable
from http.client import HTTPException
from typing import Final, NamedTuple

from tests.drills.ledger import NOTHING, Content, Key, Ledger, digest
from tests.support.http import Got, call
from tests.support.packages import package
from tests.support.repositories import provenance

REPOSITORIES: Final = ("", "team", "team/app")
CLIENTS: Final = 8
_BOUNDARY: Final = "a-line-that-no-package-holds"
_PAUSE: Final = 0.2
_SECONDS: Final = 60


class Upload(NamedTuple):
    """A package to send, and its provenance file where it has one."""

    key: Key
    package: bytes
    provenance: bytes = b""

    @property
    def content(self) -> Content:
        return Content(digest(self.package), digest(self.provenance) if self.provenance else "")


def make(key: Key, chance: random.Random, *, signed: bool = False, size: int | None = None) -> Upload:
    """A sound package of about `size` bytes that is like no other, of any size from nothing to a large chart's."""
    filling = chance.randbytes(chance.choice((0, 0, 5_000, 50_000, 600_000)) if size is None else size)
    name = f"{chance.getrandbits(64):x}"
    data = package(key.name, key.version, description=name, files={"files/filling": filling})
    return Upload(key, data, provenance(data, key.file, name=key.name, version=key.version) if signed else b"")


def api(base: str, repository: str) -> str:
    """The address that packages of a repository are sent to."""
    return f"{base}/api/{repository}/charts" if repository else f"{base}/api/charts"


def send(base: str, upload: Upload, *, force: bool = False, seconds: float = _SECONDS) -> Got | None:
    """Upload; None where no answer came."""
    url = api(base, upload.key.repository) + ("?force" if force else "")
    if not upload.provenance:
        return ask("POST", url, upload.package, {"Content-Type": "application/octet-stream"}, seconds=seconds)
    parts = (("chart", upload.key.file, upload.package), ("prov", f"{upload.key.file}.prov", upload.provenance))
    body = b"".join(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{file}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for field, file, data in parts
    )
    form = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    return ask("POST", url, body + f"--{_BOUNDARY}--\r\n".encode(), form, seconds=seconds)


def remove(base: str, key: Key, *, seconds: float = _SECONDS) -> Got | None:
    """Delete; None where no answer came."""
    return ask("DELETE", f"{api(base, key.repository)}/{key.name}/{key.version}", seconds=seconds)


def ask(
    method: str,
    url: str,
    data: bytes | None = None,
    headers: dict[str, str] | None = None,
    *,
    seconds: float = _SECONDS,
) -> Got | None:
    """Send one request; None where no answer came, or not all of it."""
    try:
        return call(method, url, data, headers, seconds=seconds)
    except (OSError, HTTPException):
        return None


def note_upload(ledger: Ledger, upload: Upload, got: Got | None, *, kind: str) -> None:
    """Write down what became of an upload whose key nobody else writes to."""
    if got is not None and got.status == 201:
        ledger.acknowledge(upload.key, upload.content, kind)
    elif got is not None and got.status == 409:
        ledger.learn(upload.key, lambda content: content != NOTHING, "409 said that it exists")
    else:
        _note_unexpected(ledger, upload.key, got)
        # A package whose provenance did not follow was never acknowledged, and is sound by itself.
        ledger.doubt(upload.key, upload.content, Content(upload.content.package))


def note_removal(ledger: Ledger, key: Key, got: Got | None) -> None:
    """Write down what became of a deletion whose key nobody else writes to."""
    if got is not None and got.status == 200:
        ledger.acknowledge(key, NOTHING, "deletes")
    elif got is not None and got.status == 404:
        ledger.learn(key, lambda content: content == NOTHING, "404 said that it is not there")
    else:
        _note_unexpected(ledger, key, got)
        ledger.doubt(key, NOTHING)


def _note_unexpected(ledger: Ledger, key: Key, got: Got | None) -> None:
    if got is not None and got.status not in {503, 507}:
        ledger.strange.append(f"{key.path}: the answer was {got.status} {got.text[:200]}")


class Writer(threading.Thread):
    """Writes until it is told to stop. No other writer touches its keys.

    Args:
        number: of the writer, from 0.
        base: gives the address of the server to ask next.
        seed: of all choices.
    """

    def __init__(self, number: int, base: Callable[[], str], *, seed: int) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self._number = number
        self._base = base
        self._chance = random.Random(f"{seed}-{number}")
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let it finish its request and end."""
        self._stopping.set()

    def run(self) -> None:
        while not self._stopping.is_set():
            got = self._act()
            if got is None or got.status >= 500:
                self._stopping.wait(_PAUSE)

    def _act(self) -> Got | None:
        """Do one thing, and return the last answer."""
        raise NotImplementedError


class Client(Writer):
    """Uploads, overwrites and deletes; see `Writer`.

    Args:
        number: of the client, from 0.
        base: gives the address of the server to ask next.
        ledger: takes all answers.
        seed: of all choices.
        size: see `make`.
    """

    def __init__(
        self, number: int, base: Callable[[], str], ledger: Ledger, *, seed: int, size: int | None = None
    ) -> None:
        super().__init__(number, base, seed=seed)
        self._ledger = ledger
        self._size = size
        self._keys: list[Key] = []

    def _act(self) -> Got | None:
        choice = self._chance.random()
        if not self._keys or choice < 0.5:
            return self._publish()
        if choice < 0.75:
            return self._upload(self._chance.choice(self._keys), kind="overwrites", force=True)
        return self._remove(self._chance.choice(self._keys))

    def _publish(self) -> Got | None:
        if self._keys and self._chance.random() < 0.1:  # whoever got no answer tries again
            return self._upload(self._chance.choice(self._keys), kind="uploads", force=False)
        number = len(self._keys)
        key = Key(self._chance.choice(REPOSITORIES), f"chart-{self._number}-{number % 7}", f"1.{number}.0")
        self._keys.append(key)
        return self._upload(key, kind="uploads", force=False)

    def _upload(self, key: Key, *, kind: str, force: bool) -> Got | None:
        upload = make(key, self._chance, signed=self._chance.random() < 0.25, size=self._size)
        self._ledger.begin(key, upload.content.package)
        got = send(self._base(), upload, force=force)
        note_upload(self._ledger, upload, got, kind=kind)
        return got

    def _remove(self, key: Key) -> Got | None:
        self._ledger.begin(key)
        got = remove(self._base(), key)
        note_removal(self._ledger, key, got)
        return got
