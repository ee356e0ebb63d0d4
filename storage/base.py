"""What every storage driver does, and how it fails.

A driver keeps named sequences of bytes (objects). It knows nothing of charts. Keys are relative, use `/`, and have been
checked by whoever built them; a driver refuses only what would leave its root.

Rules that hold for all drivers, and are tested for all of them by ``tests/storage/contract.py``:

* A write is durable when `put` or `delete` returns. There is never half an object.
* A `state` is an opaque text that changes whenever the bytes under a key may have changed. A listing tells it, so a
  listing alone shows what changed.
* The time of publication travels with the bytes and survives a copy of the storage. Where other hands put an object,
  the storage's own time of modification stands in for it. Whatever those hands wrote, it lies between 1970 and 9999.
* Conditions decide races; nothing here locks across processes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, NewType, Protocol, Self

State = NewType("State", str)
"""Names the bytes under a key at one moment: size and mtime in ns on disk, the ETag on S3."""

UNTOLD: Final = State("?")
"""Stands for the state of an object of which the storage tells none, as an S3 gateway does of files in its folder that
others put there. Nobody can tell whether such an object has changed, so that it is not to be served."""

LAST_SECOND: Final = 253_402_300_799
"""The last second of the year 9999: what comes later has no date in four digits, so nothing is published after it."""


def as_published(seconds: int) -> int:
    """Return the second nearest to `seconds` in which something can be published: 0 to `LAST_SECOND`."""
    return min(max(seconds, 0), LAST_SECOND)


class StorageError(Exception):
    """Something a storage could not do. The message is one sentence for people and names the key."""


class NotFound(StorageError):
    """There is no object under the key."""


class AlreadyExists(StorageError):
    """The write asked for an empty key, and the key is taken."""


class Changed(StorageError):
    """The object is not, or no longer, in the state that the caller named."""


class Unavailable(StorageError):
    """The storage did not answer, or answered that it cannot for now. Nothing is known about the outcome.

    Attributes:
        silent: there was no answer at all, so that others need not ask for a while.
    """

    silent: bool = False


class NoSpace(StorageError):
    """The storage is full, or over its quota."""


class Misconfigured(Unavailable):
    """The storage does not work until somebody changes something: no such bucket, no permission, not a folder.

    A kind of `Unavailable`, because it can also come up later (a folder becomes read-only, credentials are withdrawn)
    and whoever copes with a storage that is away for a while copes with this.
    """


class InvalidKey(StorageError):
    """A key that no driver takes; see `storage.keys`. Whoever built it has a bug."""


@dataclass(frozen=True, slots=True)
class Matching:
    """Write only over the object that is in this state."""

    state: State


@dataclass(frozen=True, slots=True)
class _Absent:
    """Write only where no object is."""


@dataclass(frozen=True, slots=True)
class _Anyway:
    """Write whatever is there; for what is checked when it is read."""


ABSENT: Final = _Absent()
ANYWAY: Final = _Anyway()
Condition = _Absent | _Anyway | Matching


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known of an object without reading it.

    Attributes:
        key: relative to the storage's root.
        size: in bytes.
        state: see `State`.
        published: seconds since the epoch; None where only reading the object would tell (an S3 listing).
    """

    key: str
    size: int
    state: State
    published: int | None


class Readable(Protocol):
    """What `put` takes its bytes from: a file, or a stream that can be read once, forward only."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, which may be fewer before the end too; empty at the end alone."""
        ...


class Reader(Protocol):
    """An open object. It gives the bytes of exactly one state, or raises `Unavailable`; never a mixture."""

    @property
    def info(self) -> ObjectInfo:
        """The object being read, with `published` always set."""
        ...

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes, all that is left when negative; empty at the end.

        Raises:
            Unavailable: the rest cannot be had.
        """
        ...

    def close(self) -> None:
        """Give back the file or connection. More than once is fine."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a storage turned out to do when it was probed.

    Attributes:
        description: where the objects lie, for people, without secrets.
        conditional_writes: conditions hold against other processes and machines. Without them, writers must be kept
            apart by other means. False as well where nothing was tried, because nobody is going to write.
        marked: the storage bears a mark of its own, so that it can be told from an empty folder on which nothing is
            mounted.
    """

    description: str
    conditional_writes: bool
    marked: bool = False


class Storage(Protocol):
    """A place for objects. Safe to share between threads; not between a process and its forks."""

    def check(self, *, writable: bool = True) -> Abilities:
        """Find out, once at start, whether this storage can be used, creating a folder that is missing.

        Raises:
            Misconfigured: it can not, ever; the message says why and what to do.
            Unavailable: it does not answer now.
        """
        ...

    def put(
        self,
        key: str,
        source: bytes | Readable,
        *,
        condition: Condition,
        published: int | None = None,
        durable: bool = True,
    ) -> ObjectInfo:
        """Store the bytes of `source` (a file is read from where it stands to its end) under `key`.

        A stream may be of any length: it is read in pieces, and never held as a whole by a storage that lasts. Whatever
        its `read` raises passes through as it is, and nothing was written then.

        What is not `durable` may be forgotten in a power cut, though never by the death of a process: it is for what
        only saves trouble, and a disk need not be waited for.

        `published` is in seconds since the epoch, brought into 0 to `LAST_SECOND`; now when None. An answer that got
        lost on the way is not mistaken for a lost race: a driver recognises its own write.

        Raises:
            AlreadyExists: the condition was `ABSENT` and the key is taken.
            Changed: the condition was `Matching` and the object is another, or gone.
            NoSpace, Unavailable: as they say; on `NoSpace` nothing was written.
        """
        ...

    def copy(self, key: str, source: str, *, origin: "Storage | None" = None) -> ObjectInfo:
        """Keep under `key`, where nothing is yet, the bytes that lie under `source`, without sending them anywhere.

        `origin` is where `source` lies, this storage when None. It may be another one of the same location, as packages
        and state of one folder or one bucket are. The copy was published when its source was, and stays when that goes.
        Where the storage cannot do it by itself, the bytes pass through this process.

        Meant for keys that name their content, where whoever wins a race is right: not every S3 service can hold off
        another writer of `key` in the very moment of the copy; see `storage.s3`.

        Raises:
            AlreadyExists: the key is taken, by the same bytes too.
            NotFound: there is no `source`.
            NoSpace, Unavailable: as they say.
        """
        ...

    def open(self, key: str, *, state: State | None = None, start: int = 0, length: int | None = None) -> Reader:
        """Open an object, or `length` bytes of it from `start`; fewer where it ends before, none beyond its end.

        Raises:
            NotFound: there is none.
            Changed: it is not in `state`, where one is named.
            Unavailable: the storage does not answer.
        """
        ...

    def stat(self, key: str) -> ObjectInfo:
        """What `open` would say of the object, `published` included.

        Raises:
            NotFound, Unavailable.
        """
        ...

    def delete(self, key: str, *, state: State | None = None) -> None:
        """Remove an object; with `state`, only while it is in that state.

        Not every S3 service can hold off a replacement in the very moment of the removal; see `storage.s3`. Callers
        that replace and delete at once hold a lock.

        Raises:
            NotFound: there is none.
            Changed: it is in another state.
            Unavailable: it may or may not be gone.
        """
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key begins with `prefix`, at any depth, in no promised order, without end of pages.

        Raises:
            Unavailable: the listing broke; what came before it holds.
        """
        ...

    def url(self, key: str, *, expires: int, filename: str) -> str | None:
        """An address under which anyone may GET the object for `expires` seconds, or None where there is no such thing.

        `filename` is what a browser should call the download.
        """
        ...

    def remove_leftovers(self) -> int:
        """Remove what writers left behind that died more than an hour ago, and say how much it was.

        Raises:
            Unavailable: the storage does not answer.
        """
        ...
