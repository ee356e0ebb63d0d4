"""What the catalog needs of a database, whichever it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, Protocol

Row = Sequence[Any]
Values = Mapping[str, Any]
Change = Callable[["Session"], None]
"""Writes something, in the transaction of a session."""


class Session(Protocol):
    """An open transaction, for one thread."""

    def one(self, statement: str, values: Values = ..., /) -> Row | None:
        """Run a statement; return its only row, or None."""
        ...

    def rows(self, statement: str, values: Values = ..., /) -> Iterator[Row]:
        """Run a statement; give its rows, which may all be in memory."""
        ...

    def stream(self, statement: str, /) -> Iterator[Row]:
        """Run a statement; give its rows in pieces as they are asked for. Read one to its end before the next."""
        ...

    def run(self, statement: str, values: Values = ..., /) -> None:
        """Run a statement that gives no rows."""
        ...

    def run_many(self, statement: str, values: Sequence[Values], /) -> None:
        """Run a statement for each of `values`."""
        ...


class Lock(Enum):
    """What a lock is on. Whoever holds one on a name may take one on a key; nothing else is to be nested."""

    NAME = "name"
    """An OCI repository."""
    KEY = "key"
    """A storage key of a package."""


class KeyLock(Protocol):
    """A lock, held."""

    def one(self, statement: str, values: Values = ..., /) -> Row | None:
        """Run a statement that reads; return its only row, or None."""
        ...

    def writing(self) -> AbstractContextManager[Session]:
        """Open the one transaction that writes; it is durable when the block ends, and undone when it raises.

        While it is open, no rebuild begins.
        """
        ...


class Engine(Protocol):
    """One catalog in one database. Safe to share between threads; each forked process makes its own connections.

    Whatever the database cannot do for now is raised as `CatalogUnavailable`, a full one as `CatalogFull`, and one
    that holds no catalog yet as `CatalogIncomplete`.
    """

    def one(self, statement: str, values: Values, /) -> Row | None:
        """Run one statement that reads, by itself; return its only row, or None. Made to be fast."""
        ...

    def version(self, field: int) -> int | None:
        """Return a number that is another one after every write; None where it cannot be told without asking.

        What was read after it was asked for is still true when it is the same again. `field` says which writes are
        meant: all (`announced.EVERYTHING`), or those to packages whose key is of one stripe (`locks.stripe_of`). It
        neither asks the database nor waits for anything.
        """
        ...

    def learn(self) -> None:
        """Ask the database for what `version` needs to know after a write."""
        ...

    def reading(self) -> AbstractContextManager[Session]:
        """Open a transaction that sees the catalog as it is at the first statement, whatever is written meanwhile."""
        ...

    def locking(self, key: bytes, group: Lock = ..., /) -> AbstractContextManager[KeyLock]:
        """Hold the lock on a storage key, or on what else `group` says, against all who use this catalog."""
        ...

    def noting(self) -> AbstractContextManager[Session]:
        """Open a transaction that writes what was made of the catalog itself, and which no `version` is about.

        While it is open, no rebuild begins. It is undone when the block raises. A machine that loses
        power may lose it.
        """
        ...

    def attempt(self, name: str) -> AbstractContextManager[bool]:
        """Hold a lock by name, if nobody else does, and say whether it is held."""
        ...

    def rebuilding(self) -> AbstractContextManager[Session]:
        """Open an empty catalog that takes the place of this one when the block ends, and is dropped when it raises.

        Until then this one is incomplete, for all who use it. The tables are there and empty.
        """
        ...

    def damaged(self) -> bool:
        """Whether somebody found this catalog to be beyond use since it was built."""
        ...

    def prune(self) -> list[str]:
        """Drop the catalogs of other schema versions; return their names."""
        ...

    def close(self) -> None:
        """Close the connections that are idle; those in use are closed when they are given back."""
        ...
