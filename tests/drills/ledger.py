"""What clients were promised: the book that every drill keeps, and that every finding is judged by.

A client that got an answer knows what lies under a key. One whose connection broke knows only what may lie there. So
the ledger holds, for each key, the set of contents that are allowed; an acknowledgement makes it a set of one.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Generic, NamedTuple, Protocol, TypeVar


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


class Named(Protocol):
    """A key that sentences can name."""

    @property
    def path(self) -> str: ...


KeyT = TypeVar("KeyT", bound=Named)
ContentT = TypeVar("ContentT")


class Settled(NamedTuple, Generic[ContentT]):
    """What may lie under a key on which no request is under way.

    Attributes:
        allowed: one content after an acknowledgement, several after a broken connection.
        turn: changes with every request on the key.
    """

    allowed: frozenset[ContentT]
    turn: int


@dataclass
class _Page(Generic[ContentT]):
    allowed: frozenset[ContentT]
    sent: set[str] = field(default_factory=set)
    turn: int = 0
    under_way: bool = False


class Book(Generic[KeyT, ContentT]):
    """Shared by all clients of a drill. Each key has one writer at a time, unless a drill settles it by itself.

    Args:
        nothing: the content of a key that nobody wrote to.

    Attributes:
        acknowledged: how many requests of each kind were acknowledged.
        doubtful: how many got no answer, or one that leaves open what happened.
        strange: answers that cannot be true, or should not be: each a sentence.
    """

    def __init__(self, nothing: ContentT) -> None:
        first = frozenset({nothing})
        self._pages: defaultdict[KeyT, _Page[ContentT]] = defaultdict(lambda: _Page(first))
        self._lock = threading.Lock()
        self.acknowledged: defaultdict[str, int] = defaultdict(int)
        self.doubtful = 0
        self.strange: list[str] = []

    def begin(self, key: KeyT, *sent: str) -> None:
        """Note that a request on the key begins, which may bring bytes of these digests."""
        with self._lock:
            page = self._pages[key]
            page.turn += 1
            page.under_way = True
            page.sent.update(sent)

    def acknowledge(self, key: KeyT, content: ContentT, kind: str) -> None:
        """The server said that this lies under the key now."""
        with self._lock:
            self.acknowledged[kind] += 1
            self._settle(key, frozenset({content}))

    def doubt(self, key: KeyT, *contents: ContentT) -> None:
        """Nobody knows whether one of these lies there now, or still what lay there before."""
        with self._lock:
            self.doubtful += 1
            self._settle(key, self._pages[key].allowed | set(contents))

    def learn(self, key: KeyT, keep: Callable[[ContentT], bool], said: str) -> None:
        """The server changed nothing, and `said` what rules out all contents but those to keep."""
        with self._lock:
            allowed = frozenset(filter(keep, self._pages[key].allowed))
            if not allowed:
                self.strange.append(f"{key.path}: {said}, which is not so")
            self._settle(key, allowed or self._pages[key].allowed)

    def decide(self, key: KeyT, contents: Iterable[ContentT]) -> None:
        """Say what is allowed after several clients wrote at once."""
        with self._lock:
            self._settle(key, frozenset(contents))

    def settled(self) -> dict[KeyT, Settled[ContentT]]:
        """What is allowed for each key on which no request is under way."""
        with self._lock:
            return {key: Settled(page.allowed, page.turn) for key, page in self._pages.items() if not page.under_way}

    def sent(self, key: KeyT) -> frozenset[str]:
        """All digests that were ever sent for the key."""
        with self._lock:
            return frozenset(self._pages[key].sent) if key in self._pages else frozenset()

    def _settle(self, key: KeyT, allowed: frozenset[ContentT]) -> None:
        page = self._pages[key]
        page.turn += 1
        page.under_way = False
        page.allowed = allowed


class Ledger(Book[Key, Content]):
    """What was promised of packages."""

    def __init__(self) -> None:
        super().__init__(NOTHING)
