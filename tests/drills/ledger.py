"""What clients were promised: the book that every drill keeps, and that every finding is judged by.

A client that got an answer knows what lies under a key. One whose connection broke knows only what may lie there. So
the ledger holds, for each key, the set of contents that are allowed; an acknowledgement makes it a set of one.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, NamedTuple


class Key(NamedTuple):
    """A package file of a repository."""

    repository: str
    name: str
    version: str

    @property
    def file(self) -> str:
        return f"{self.name}-{self.version}.tgz"

    @property
    def path(self) -> str:
        """The key in storage."""
        return f"{self.repository}/{self.file}" if self.repository else self.file


class Content(NamedTuple):
    """What readers may see under a key.

    Attributes:
        package: SHA-256 in hex; empty where there is no package.
        provenance: SHA-256 in hex of the `.prov` that is served; empty where there is none.
    """

    package: str
    provenance: str = ""


NOTHING: Final = Content("")


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return sha256(data).hexdigest()


class Settled(NamedTuple):
    """What may lie under a key on which no request is under way.

    Attributes:
        allowed: one content after an acknowledgement, several after a broken connection.
        turn: changes with every request on the key.
    """

    allowed: frozenset[Content]
    turn: int


@dataclass
class _Page:
    allowed: frozenset[Content] = frozenset({NOTHING})
    sent: set[str] = field(default_factory=set)
    turn: int = 0
    under_way: bool = False


class Ledger:
    """Shared by all clients of a drill. Each key has one writer at a time, unless a drill settles it by itself.

    Attributes:
        acknowledged: how many requests of each kind were acknowledged.
        doubtful: how many got no answer, or one that leaves open what happened.
        strange: answers that cannot be true, or should not be: each a sentence.
    """

    def __init__(self) -> None:
        self._pages: defaultdict[Key, _Page] = defaultdict(_Page)
        self._lock = threading.Lock()
        self.acknowledged: defaultdict[str, int] = defaultdict(int)
        self.doubtful = 0
        self.strange: list[str] = []

    def begin(self, key: Key, *sent: str) -> None:
        """Note that a request on the key begins, which may bring packages of these digests."""
        with self._lock:
            page = self._pages[key]
            page.turn += 1
            page.under_way = True
            page.sent.update(sent)

    def acknowledge(self, key: Key, content: Content, kind: str) -> None:
        """The server said that this lies under the key now."""
        with self._lock:
            self.acknowledged[kind] += 1
            self._settle(key, frozenset({content}))

    def doubt(self, key: Key, *contents: Content) -> None:
        """Nobody knows whether one of these lies there now, or still what lay there before."""
        with self._lock:
            self.doubtful += 1
            self._settle(key, self._pages[key].allowed | set(contents))

    def learn(self, key: Key, keep: Callable[[Content], bool], said: str) -> None:
        """The server changed nothing, and `said` what rules out all contents but those to keep."""
        with self._lock:
            allowed = frozenset(filter(keep, self._pages[key].allowed))
            if not allowed:
                self.strange.append(f"{key.path}: {said}, which is not so")
            self._settle(key, allowed or self._pages[key].allowed)

    def decide(self, key: Key, contents: Iterable[Content]) -> None:
        """Say what is allowed after several clients wrote at once."""
        with self._lock:
            self._settle(key, frozenset(contents))

    def settled(self) -> dict[Key, Settled]:
        """What is allowed for each key on which no request is under way."""
        with self._lock:
            return {key: Settled(page.allowed, page.turn) for key, page in self._pages.items() if not page.under_way}

    def sent(self, key: Key) -> frozenset[str]:
        """The digests of all packages that were ever sent for the key."""
        with self._lock:
            return frozenset(self._pages[key].sent) if key in self._pages else frozenset()

    def _settle(self, key: Key, allowed: frozenset[Content]) -> None:
        page = self._pages[key]
        page.turn += 1
        page.under_way = False
        page.allowed = allowed
